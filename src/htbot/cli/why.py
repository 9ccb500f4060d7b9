"""`htbot why`: a trade in ten steps, a line or two each; with `--full` every value that was stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from htbot.cli.opening import people
from htbot.cli.output import Json, plain, print_json

if TYPE_CHECKING:
    from htbot.persistence.queries.why import Step

_INDENT = " " * 14
_WIDE = 106
_NEAREST = 4
"""So many rules of the gate are named: those that came nearest to their limits."""
_SHOWN: Mapping[str, tuple[str, ...]] = {
    "tick": ("contract", "bid", "ask"),
    "bar": ("open", "high", "low", "close", "volume"),
    "signal": ("strategy", "price", "levels", "indicators"),
    "intent": ("action", "quantity", "limit_price", "state", "exit_reason"),
    "order": ("order_id", "perm_id", "state", "filled", "average_price", "error_text"),
    "fill": ("side", "quantity", "symbol", "strike", "right", "price", "commission"),
    "position": ("contract", "quantity", "average_price", "realized_usd"),
    "pnl": ("credit", "debit", "gross_pnl", "commissions", "max_gain", "evenings", "marks"),
    "alert": ("kind", "state", "sent_at_host_time"),
}
"""What the second line of a step has, of its values or of each of them."""
_BARE = frozenset({"contract", "side", "symbol", "strike", "right", "strategy", "action", "state", "kind"})
"""Values that say by themselves what they are."""
_WORDS = {
    "limit_price": "limit",
    "average_price": "at",
    "realized_usd": "realised",
    "exit_reason": "for",
    "evenings": "evening of",
    "sent_at_host_time": "sent, host time,",
}


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(why)


def why(
    trade_id: Annotated[str, typer.Argument(help="Id of a trade.")],
    full: Annotated[bool, typer.Option("--full", help="Every stored value of each step.")] = False,
    as_json: Json = False,
) -> None:
    """The ten steps of a trade with their stored values."""
    with people() as opened:
        found = opened.queries.why(trade_id)
    if as_json:
        print_json(found)
        return
    print("Times are the market's, in New York, but for those named host time.")
    for number, step in enumerate(found.steps, start=1):
        print(f"{number:>2}. {step.step:<9} {plain(step.at):<20} {step.summary}")
        for line in _everything(step) if full else _in_short(step):
            print(line)
    if not full:
        print(f"\nEvery stored value: htbot why {trade_id} --full")


def _everything(step: Step) -> Iterable[str]:
    return (f"      {name}: {_inline(value)}" for name, value in step.values.items())


def _in_short(step: Step) -> list[str]:
    """One line at most, cut where it is too long."""
    if step.step == "decision":
        told = _nearest(step.values.values())
    elif all(isinstance(value, dict) for value in step.values.values()):
        told = "; ".join(_chosen(value, step.step) for value in step.values.values())
    else:
        told = _chosen(step.values, step.step)
    if not told:
        return []
    return [_INDENT + (told if len(told) <= _WIDE else f"{told[:_WIDE].rpartition(' ')[0]} ...")]


def _chosen(values: Mapping[str, Any], step: str) -> str:
    known = ((name, values.get(name)) for name in _SHOWN.get(step, ()))
    return " ".join(_named(name, value) for name, value in known if value not in (None, "", {}))


def _named(name: str, value: Any) -> str:
    if name in _BARE:
        return str(value)
    nameless = isinstance(value, dict) and name not in _WORDS
    return _inline(value) if nameless else f"{_WORDS.get(name, name)} {_inline(value)}"


def _nearest(outcomes: Iterable[Mapping[str, Any]]) -> str:
    """The rules that came nearest to their limits, the nearest first."""
    shares = ((_share(one), one) for one in outcomes)
    known = sorted(((share, one) for share, one in shares if share is not None), key=lambda pair: -pair[0])
    told = ", ".join(f"{one['rule']} {one['value']} of {one['limit']}" for _, one in known[:_NEAREST])
    return f"nearest to their limits: {told}" if told else ""


def _share(outcome: Mapping[str, Any]) -> Decimal | None:
    """How near a value is to its limit, 1 at it, from whichever side; None where either is no positive number."""
    try:
        limit, value = Decimal(str(outcome["limit"])), Decimal(str(outcome["value"]))
    except InvalidOperation:
        return None
    return min(limit / value, value / limit) if limit > 0 and value > 0 else None


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_inline(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "; ".join(_inline(part) for part in value)
    return plain(value)
