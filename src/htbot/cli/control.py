"""Commands that act: halt, resume, flatten, cancel, cancel-all, settle."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htbot.cli.failures import ExitCode, NotRunning, TimedOut
from htbot.cli.opening import actor, people, settings
from htbot.cli.output import Json, print_facts, print_json
from htbot.domain.errors import CallerMistake, ConfigurationError, HtbotError, Retryable

if TYPE_CHECKING:
    from decimal import Decimal

    from htbot.bootstrap.people import People
    from htbot.persistence.queries.shapes import CommandView
    from htbot.services.callers import Accepted
    from htbot.services.halting import HaltAnswer

_LOOK_EVERY_S = 0.25
_HALT_STATEMENT_MS = 3_000
_LONGEST_PIN = 200
_NAMED = 20

Key = Annotated[str | None, typer.Option(help="Idempotency key: the same key has one effect.")]
Wait = Annotated[float, typer.Option(min=0, max=600, help="Seconds to wait for the end; 0: do not wait.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(halt)
    app.command()(resume)
    app.command()(flatten)
    app.command()(cancel)
    app.command("cash-flow")(cash_flow)
    app.command("cancel-all")(cancel_all)
    app.command()(settle)


def halt(
    reason: Annotated[str, typer.Option(help="Why; it is shown wherever the halt is.")],
    account: Annotated[str | None, typer.Option(help="Only this account, by the record; default: every one.")] = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Originate nothing from now on; closes go on. Of all accounts it works with PostgreSQL and Redis dead."""
    _tell(_halt(reason, account, key), as_json)


def _halt(reason: str, account: str | None, key: str | None) -> HaltAnswer:
    from htbot.services.callers import Caller

    try:
        with people(statement_timeout_ms=_HALT_STATEMENT_MS) as opened:
            return opened.commands.halt(reason, Caller(actor(), key), account)
    except (ConfigurationError, NotRunning) as error:
        if account is not None:
            raise
        return _halt_by_file(reason, error)


def _halt_by_file(reason: str, error: HtbotError) -> HaltAnswer:
    """With nothing set up, or settings that cannot be read, the file where it would be is still a halt."""
    from datetime import UTC, datetime

    from htbot.services.halting import HaltAnswer
    from htbot.services.kill_switch import FILE_SOURCE, KillSwitch
    from htbot.settings import project_root

    try:
        path = settings().paths.kill_switch_file
    except ConfigurationError:
        path = project_root() / "STOP"
    KillSwitch(path).set(reason, actor(), datetime.now(UTC))
    return HaltAnswer(halted=True, by=[FILE_SOURCE], warning=f"halted by {path} only: {error}")


def resume(
    breaker: Annotated[
        bool, typer.Option("--breaker", help="Lift the breaker's trips instead; needs the PIN.")
    ] = False,
    pin_file: Annotated[str | None, typer.Option(help="File with the PIN; - reads standard input.")] = None,
    account: Annotated[str | None, typer.Option(help="Only what halts this account by itself; default: all.")] = None,
    key: Key = None,
    as_json: Json = False,
) -> int:
    """Lift the halts that people set. A STOP file made by hand stays; the exit code is 1 while anything still halts."""
    from htbot.services.callers import Caller

    pin = _pin(pin_file) if breaker else None
    with people() as opened:
        who = Caller(actor(), key)
        commands = opened.commands
        answer = commands.reset_breaker(who, pin, account) if breaker else commands.resume(who, account)
    _tell(answer, as_json)
    return ExitCode.ERROR if answer.halted else ExitCode.OK


def _pin(source: str | None) -> str:
    """The PIN from a file or standard input, never from the command line.

    Raises:
        CallerMistake: neither was named, or it cannot be read.
    """
    if source is None:
        raise CallerMistake("--breaker needs the PIN of HTBOT_PIN: --pin-file FILE, or --pin-file - for standard input")
    try:
        text = sys.stdin.read(_LONGEST_PIN) if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CallerMistake(f"--pin-file {source}: cannot be read") from error
    return text.strip()


def cash_flow(
    amount: Annotated[str, typer.Option(help="Dollars; negative for a withdrawal.")],
    note: Annotated[str, typer.Option(help="What it was.")],
    account: Annotated[str | None, typer.Option(help="Account; default: the one that is traded.")] = None,
    as_json: Json = False,
) -> None:
    """Note a deposit or withdrawal, so that the breaker does not take it for a gain or a loss."""
    from htbot.services.callers import Caller

    dollars = _dollars("--amount", amount)
    with people() as opened:
        flow = opened.commands.note_cash_flow(dollars, note, account, Caller(actor()))
    if as_json:
        print_json(flow)
    else:
        print(f"{flow.account}: {flow.amount_usd} USD noted, the breaker's peak moves with it")


def _tell(answer: HaltAnswer, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    where = f", {' and '.join(answer.accounts)} only" if answer.accounts else ""
    print(f"halted by {', '.join(answer.by)}{where}" if answer.halted else "no halt is in force")
    if answer.warning:
        print(answer.warning)


def flatten(
    account: Annotated[str | None, typer.Option(help="Account; default: every one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Required: this closes positions.")] = False,
    wait: Wait = 60.0,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Close every position and withdraw every entry, then wait until the books are flat."""
    from htbot.services.callers import Caller
    from htbot.services.command_kinds import EVERY_ACCOUNT

    if not yes:
        raise CallerMistake("flatten closes every position: say --yes")
    with people() as opened:
        with _desk_needed():
            accepted = opened.commands.close(account or EVERY_ACCOUNT, Caller(actor(), key))
        _follow(opened, accepted, wait, as_json=as_json)


def cancel(
    order: Annotated[str, typer.Argument(help="Reference of an order, as `htbot orders` shows it.")],
    wait: Wait = 15.0,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Cancel a working order."""
    from htbot.services.callers import Caller

    with people() as opened:
        with _desk_needed():
            accepted = opened.commands.cancel(order, Caller(actor(), key))
        _follow(opened, accepted, wait, as_json=as_json)


def cancel_all(wait: Wait = 15.0, key: Key = None, as_json: Json = False) -> None:
    """Cancel every working order, closes included."""
    from htbot.services.callers import Caller
    from htbot.services.command_kinds import EVERY_ACCOUNT

    with people() as opened:
        with _desk_needed():
            accepted = opened.commands.cancel(EVERY_ACCOUNT, Caller(actor(), key))
        _follow(opened, accepted, wait, as_json=as_json)


def settle(
    trade_id: Annotated[str, typer.Argument(help="Id of an open trade that is gone at the broker.")],
    price: Annotated[
        list[str],
        typer.Option(
            "--price",
            "--leg",
            metavar="PRICE | CONTRACT=PRICE | SHARES@PRICE",
            help="Official settlement price of the underlying; once for each leg what it was closed at; of shares "
            "what somebody sold or bought them back at, 60@501.20 when not all. Dollars.",
        ),
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Take a price that is more than 5 % from the last bar of that day.")
    ] = False,
    wait: Wait = 15.0,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Book a trade that is gone at the broker, expired or closed by hand there, at prices that you know."""
    from htbot.services.callers import Caller

    legs = _by_leg(price) if len(price) > 1 or "=" in price[0] else {}
    shares, at, per_share = price[0].rpartition("@")
    underlying = None if legs else _dollars("--price", per_share)
    quantity = _whole("--price", shares) if at and not legs else None
    with people() as opened:
        with _desk_needed():
            caller = Caller(actor(), key)
            if underlying is None:
                accepted = opened.settling.close_legs(trade_id, legs, caller, force=force)
            else:
                accepted = opened.settling.settle(trade_id, underlying, caller, quantity=quantity, force=force)
        _follow(opened, accepted, wait, as_json=as_json)


def _by_leg(told: Sequence[str]) -> dict[int, Decimal]:
    """Dollars by contract id.

    Raises:
        CallerMistake: one is not `CONTRACT=PRICE`, or a leg is named twice.
    """
    prices: dict[int, Decimal] = {}
    for one in told:
        con_id, _, price = one.partition("=")
        if not con_id.isdecimal() or int(con_id) in prices:
            raise CallerMistake(f"--leg {one}: must be CONTRACT=PRICE, once for each leg")
        prices[int(con_id)] = _dollars(f"--leg {con_id}", price)
    return prices


def _whole(option: str, text: str) -> int:
    """A number of shares.

    Raises:
        CallerMistake: it is none.
    """
    if not text.isdecimal() or int(text) == 0:
        raise CallerMistake(f"{option} {text}@...: must begin with a number of shares")
    return int(text)


def _dollars(option: str, text: str) -> Decimal:
    """A number of dollars.

    Raises:
        CallerMistake: it is none.
    """
    from decimal import Decimal, InvalidOperation

    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise CallerMistake(f"{option} {text}: must be a number of dollars") from error


@contextmanager
def _desk_needed() -> Iterator[None]:
    """A desk that cannot act is 'not running' to the shell."""
    from htbot.services.callers import DeskAway

    try:
        yield
    except DeskAway as error:
        raise NotRunning(str(error)) from error


def _follow(opened: People, accepted: Accepted, wait_s: float, *, as_json: bool) -> None:
    """Wait for the end of a command.

    Raises:
        TimedOut: it did not end in time; it goes on.
        HtbotError: it failed.
    """
    deadline = time.monotonic() + wait_s
    try:
        found = opened.queries.command(accepted.command_id)
    except Retryable as error:  # the desk has promised it in its journal and goes on without the record
        print_json(accepted) if as_json else print(f"command {accepted.command_id} was taken by the desk: {error}")
        return
    while found.state in {"PENDING", "RUNNING"} and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
        try:
            found = opened.queries.command(accepted.command_id)
        except Retryable:
            continue
    if as_json:
        print_json(found)
    else:
        print(f"command {found.command_id} ({found.kind}): {found.state}")
        if "closed" in found.result:
            print_facts(_ended(found.result))
    if found.state == "FAILED":
        raise HtbotError(f"command {found.command_id} failed: {found.result.get('why') or found.result}")
    if wait_s and found.state != "DONE":
        told = f"command {found.command_id} is {found.state} after {wait_s:g} s and goes on"
        raise TimedOut(f"{told}: {_awaited(opened, found)}")


def _awaited(opened: People, found: CommandView) -> str:
    """What a command that has not ended waits for, as far as it can be seen."""
    try:
        desk = opened.queries.desk()
        away = [] if desk.connection == "connected" else [f"the desk's connection is {desk.connection}"]
        return "; ".join([*away, _unfinished(opened, found)])
    except Retryable as error:
        return str(error)


def _unfinished(opened: People, found: CommandView) -> str:
    from htbot.domain.orders import Purpose
    from htbot.persistence.queries.selection import Selection
    from htbot.persistence.states import TERMINAL_ORDER_STATES
    from htbot.services.command_kinds import CLOSES, EVERY_ACCOUNT

    if found.state == "PENDING":
        return "the desk has not taken it up yet"
    if found.kind not in CLOSES:
        return "the broker has not confirmed it yet"
    live = opened.queries.trades_like(EVERY_ACCOUNT, None, "live", _NAMED)
    meant = {trade.id for trade in live if _meant_by(found, trade.id, trade.account)}
    orders = [one for one in opened.queries.orders(Selection(account=EVERY_ACCOUNT)) if one.trade_id in meant]
    exits = [one for one in orders if one.purpose == Purpose.EXIT and one.status not in TERMINAL_ORDER_STATES]
    if exits:
        return f"not filled yet: {', '.join(f'{one.ref} {one.status} at {one.limit}' for one in exits)}"
    if meant:
        return f"still open, without an order that works: {', '.join(sorted(meant))}"
    return "see htbot status"


def _meant_by(close: CommandView, trade_id: str, account: str) -> bool:
    """Whether a close means a trade."""
    from htbot.services.command_kinds import EVERY_ACCOUNT

    if "trade" in close.params:
        return bool(close.params["trade"] == trade_id)
    return close.params.get("scope") in {account, EVERY_ACCOUNT}


def _ended(result: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """What a close has done: counts, and names of what people may want to look up."""
    told = {"Trades closed": "closed", "Entries cancelled": "cancelled", "Entries withdrawn": "withdrawn"}
    facts = [(words, " ".join([str(len(result[name])), *result[name]])) for words, name in told.items()]
    facts.append(("Left alone", ", ".join(result["left_alone"]) or "nothing"))
    amiss = {"Still shown": "still_shown", "Not traded here": "not_here"}
    return [*facts, *((words, ", ".join(result[name])) for words, name in amiss.items() if name in result)]
