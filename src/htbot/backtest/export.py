"""A backtest as JSON in the shape of INTERFACE, and its trades as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import Path
from typing import Any

from htbot.backtest.metrics import Metrics
from htbot.backtest.metrics_curve import Drawdown
from htbot.backtest.metrics_groups import Group
from htbot.backtest.result import BacktestResult, ResultLeg, ResultTrade

_FORMULA = ("=", "+", "-", "@")
LEG_COLUMNS = ("symbol", "side", "quantity", "expiry", "strike", "right", "fill", "exit_fill")


def as_json(result: BacktestResult, metrics: Metrics) -> dict[str, Any]:
    """The result as plain dicts, lists, strings and numbers; money is decimal strings, times are ISO 8601 UTC."""
    return {
        "strategy": result.strategy,
        "config_hash": result.config_hash,
        "config": plain(result.config),
        "symbol": result.symbol,
        "data": list(result.data),
        "bars": result.bars,
        "cash": decimal_text(result.cash),
        "trades": [trade_json(trade) for trade in result.trades],
        "metrics": metrics_json(metrics),
        "curve": plain({name: getattr(result.curve, name) for name in ("days", "equity", "prices")}),
        "closes": plain(result.closes),
        "assumptions": dict(result.assumptions),
        "modelled_share": result.modelled_share,
        "refusals": dict(result.refusals),
        "engine": result.engine,
        "why_not": result.why_not,
        "wall_s": result.wall_s,
    }


def trade_json(trade: ResultTrade) -> dict[str, Any]:
    """One trade with the keys of INTERFACE's `trades`, then those that only a backtest knows."""
    return {**plain(_interface_keys(trade)), **plain(_extra_keys(trade))}


def metrics_json(metrics: Metrics) -> dict[str, Any]:
    """Every metric under its own name; a table by key, a drawdown with its days."""
    names = [*(field.name for field in fields(metrics)), "max_drawdown", "max_drawdown_usd"]
    return {name: _metric(getattr(metrics, name)) for name in names}


def write_csv(result: BacktestResult, path: Path) -> None:
    """One row per trade, legs in columns (`leg1_fill`), as many as the trade with the most legs has."""
    legs = max((len(trade.legs) for trade in result.trades), default=1)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([*_SCALARS, *(f"leg{number}_{name}" for number in range(1, legs + 1) for name in LEG_COLUMNS)])
        out.writerows(_row(trade, legs) for trade in result.trades)


def plain(value: object) -> Any:
    """A value as JSON has it: an unknown number is null, a name or a time a string."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return _text(value)


def decimal_text(amount: Decimal) -> str:
    """An amount with at least two decimals, all that it has, and no exponent."""
    text = format(amount.normalize(), "f")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals:0<2}"


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _metric(value: object) -> Any:
    if isinstance(value, Drawdown):
        return plain({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, tuple):
        return {group.key: _group(group) for group in value}
    return plain(value)


def _group(group: Group) -> dict[str, Any]:
    return plain({field.name: getattr(group, field.name) for field in fields(group) if field.name != "key"})  # type: ignore[no-any-return]


def _interface_keys(trade: ResultTrade) -> dict[str, Any]:
    return {
        "id": trade.id,
        "strategy": trade.strategy,
        "account": trade.account,
        "symbol": trade.symbol,
        "direction": int(trade.direction),
        "opened_at": trade.opened_at,
        "closed_at": trade.closed_at,
        "legs": [{field.name: getattr(leg, field.name) for field in fields(leg)} for leg in trade.legs],
        "credit": trade.credit,
        "debit": trade.debit,
        "exit_reason": trade.exit_reason,
        "gross_pnl": trade.gross_pnl,
        "commissions": trade.commissions,
        "net_pnl": trade.net_pnl,
        "max_gain": trade.max_gain,
        "duration_s": trade.duration_s,
        "config_hash": trade.config_hash,
    }


def _extra_keys(trade: ResultTrade) -> dict[str, Any]:
    return {"max_loss": trade.max_loss, "exposure": trade.exposure, "detail": trade.detail}


_SCALARS = (
    *("id", "strategy", "account", "symbol", "direction", "opened_at", "closed_at", "credit", "debit", "exit_reason"),
    *("detail", "gross_pnl", "commissions", "net_pnl", "max_gain", "max_loss", "exposure", "duration_s", "config_hash"),
)


def _row(trade: ResultTrade, legs: int) -> list[Any]:
    told = trade_json(trade)
    padded: Sequence[ResultLeg | None] = [*trade.legs, *[None] * (legs - len(trade.legs))]
    cells = [plain(getattr(leg, name)) if leg else None for leg in padded for name in LEG_COLUMNS]
    return [_cell(value) for value in (*(told[name] for name in _SCALARS), *cells)]


def _cell(value: Any) -> Any:
    """The value; a text stays in its row, and one that a spreadsheet would run has an apostrophe before it."""
    if not isinstance(value, str):
        return value
    text = "".join(letter if letter.isprintable() else " " for letter in value)
    if not text.lstrip().startswith(_FORMULA):
        return text
    try:
        Decimal(text)
    except InvalidOperation:
        return f"'{text}"
    return text
