"""What the alerts say (spec 01 section 9). Amounts are dollars, prices per unit, times New York."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from htbot.alerts.message import Fact, Message, compose
from htbot.domain.alerts import Alert, Severity
from htbot.domain.fills import Fill
from htbot.domain.orders import Action, ExitReason
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import Direction, Signal, SpreadLeg
from htbot.domain.trades import Trade
from htbot.portfolio.positions import latest

NOT_KNOWN = "not known yet"

SPREAD_WORDS: dict[Direction, str] = {Direction.BULL: "bull put spread", Direction.BEAR: "bear call spread"}
LEVEL_WORDS: dict[Direction, str] = {Direction.BULL: "above the day's high", Direction.BEAR: "below the day's low"}

REASON_WORDS: dict[ExitReason, str] = {
    ExitReason.PROFIT_TARGET: "profit target",
    ExitReason.STOP_LOSS: "stop loss",
    ExitReason.TIME: "time",
    ExitReason.MARKET_CLOSE: "market close",
    ExitReason.MANUAL: "closed by hand",
    ExitReason.BREAKER: "circuit breaker",
    ExitReason.EXPIRY: "expiry",
    ExitReason.OTHER: "other",
}


def entry_alert(trade: Trade, signal: Signal, fills: Sequence[Fill], as_of: datetime) -> Alert:
    """An entry was filled.

    Args:
        trade: the trade, with its credit.
        signal: what fired.
        fills: leg executions of the entry order.
        as_of: market time of the fill.
    """
    spread = SPREAD_WORDS[trade.direction]
    indicators = [Fact(name, f"{value:.2f}") for name, value in sorted(signal.indicators.items())]
    facts = [
        Fact("Strategy", trade.strategy),
        Fact("Account", trade.account),
        Fact("Direction", f"{int(trade.direction):+d} ({spread})"),
        Fact("Underlying", f"{trade.symbol} at {signal.price:.2f}"),
        Fact("Level broken", f"{signal.level:.2f} ({LEVEL_WORDS[trade.direction]})"),
        Fact("Trend", f"{signal.trend:+d}"),
        *indicators,
        *_leg_facts(trade, fills, opening=True),
        Fact("Net credit", _credit_words(trade)),
        Fact("Maximum loss", _usd(_maximum_loss(trade))),
        Fact("Profit target", _usd(trade.rules.profit_target_usd)),
        Fact("Stop", _stop_words(trade)),
        Fact("Closed by", trade.rules.exit_at.astimezone(NEW_YORK).strftime("%H:%M %Z")),
        Fact("Signal", signal.reason),
    ]
    return compose(
        Message(
            kind="trade_entry",
            severity=Severity.INFO,
            title="Trade Entry",
            summary=f"Sold {trade.quantity} {trade.symbol} {spread}, {_strikes(trade)}, for {_price(trade.credit)}.",
            as_of=as_of,
            dedup_key=f"trade_entry:{trade.id}",
            facts=facts,
            account=trade.account,
            params={"trade_id": trade.id, "symbol": trade.symbol},
        )
    )


def exit_alert(trade: Trade, fills: Sequence[Fill], as_of: datetime) -> Alert:
    """A trade is closed.

    Args:
        trade: the closed trade with debit, reason, P&L and times.
        fills: leg executions of its exit orders.
        as_of: market time of the last fill.
    """
    reason = REASON_WORDS[trade.exit_reason or ExitReason.OTHER]
    closed_at = trade.closed_at or as_of
    facts = [
        Fact("Strategy", trade.strategy),
        Fact("Account", trade.account),
        Fact("Reason", reason),
        *_leg_facts(trade, fills, opening=False),
        Fact("Sold for", _price(trade.credit)),
        Fact("Bought back for", _price(trade.debit)),
        Fact("Gross P&L", _usd(trade.gross_pnl_usd)),
        Fact("Commissions", _usd(trade.commissions_usd)),
        Fact("Net P&L", _usd(trade.net_pnl_usd)),
        Fact("Maximum gain", _usd(trade.max_gain_usd)),
        Fact("Duration", _duration(closed_at - trade.opened_at)),
    ]
    spread = SPREAD_WORDS[trade.direction]
    return compose(
        Message(
            kind="trade_exit",
            severity=Severity.INFO,
            title=f"Trade Exit - {reason}",
            summary=f"Closed {trade.quantity} {trade.symbol} {spread}, {_strikes(trade)}: {reason}.",
            as_of=as_of,
            dedup_key=f"trade_exit:{trade.id}",
            facts=facts,
            account=trade.account,
            params={"trade_id": trade.id, "symbol": trade.symbol, "reason": trade.exit_reason or ExitReason.OTHER},
        )
    )


def connection_alert(connected: bool, detail: str, as_of: datetime, account: str = "") -> Alert:
    """The broker's connection was lost, or is back. `detail` says what was seen, such as code and text."""
    title, kind = (
        ("Connection Restored", "connection_restored") if connected else ("Connection Lost", "connection_lost")
    )
    summary = (
        "The connection to the broker is back; entries resume once books and broker agree."
        if connected
        else "The connection to the broker is lost: no entries, and exits wait for it."
    )
    return compose(
        Message(
            kind=kind,
            severity=Severity.INFO if connected else Severity.CRITICAL,
            title=title,
            summary=summary,
            as_of=as_of,
            dedup_key=f"{kind}:{account}:{as_of.isoformat()}",
            facts=[Fact("Detail", detail)],
            account=account,
        )
    )


def outage_alert(since: datetime, after: timedelta, detail: str, as_of: datetime, account: str = "") -> Alert:
    """The broker is still away, `after` from `since` on: it may not come back by itself."""
    minutes = int(after.total_seconds() // 60)
    return compose(
        Message(
            kind="broker_outage",
            severity=Severity.CRITICAL,
            title=f"Broker Away for {minutes} Minutes",
            summary=f"The broker has been away for {minutes} minutes: nothing is sent, exits wait. Look at it.",
            as_of=as_of,
            dedup_key=f"broker_outage:{account}:{since.isoformat()}:{minutes}",
            facts=[Fact("Since", since.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M:%S %Z")), Fact("Detail", detail)],
            account=account,
        )
    )


def error_alert(source: str, detail: str, as_of: datetime, severity: Severity = Severity.CRITICAL) -> Alert:
    """Something broke that a person should look at. Errors of one `source` are one type for the throttle."""
    return compose(
        Message(
            kind=f"error.{source}",
            severity=severity,
            title=f"System Error - {source}",
            summary=f"{source} reports an error.",
            as_of=as_of,
            dedup_key=f"error.{source}:{as_of.isoformat()}",
            facts=[Fact("Detail", detail)],
        )
    )


def _leg_facts(trade: Trade, fills: Sequence[Fill], *, opening: bool) -> list[Fact]:
    folded = latest(fills)
    return [Fact(f"Leg {number}", _leg_words(leg, folded, opening)) for number, leg in enumerate(trade.legs, start=1)]


def _leg_words(leg: SpreadLeg, fills: Sequence[Fill], opening: bool) -> str:
    side = Action.BUY if (leg.ratio > 0) is opening else Action.SELL
    own = [fill for fill in fills if fill.con_id == leg.con_id]
    quantity = sum(fill.quantity for fill in own)
    name = f"{leg.symbol} {leg.expiry:%Y-%m-%d} {leg.strike.normalize():f} {leg.right.name.lower()}"
    if quantity == 0:
        return f"{side} {name}, conId {leg.con_id}, fill {NOT_KNOWN}"
    average = sum((fill.price * fill.quantity for fill in own), Decimal(0)) / quantity
    return f"{side} {quantity} {name}, conId {leg.con_id}, at {average:.2f}"


def _strikes(trade: Trade) -> str:
    short = next(leg for leg in trade.legs if leg.ratio < 0)
    long = next(leg for leg in trade.legs if leg.ratio > 0)
    return f"{short.strike.normalize():f}/{long.strike.normalize():f} {short.right.name.lower()}"


def _units(trade: Trade) -> int:
    return trade.legs[0].multiplier * trade.quantity


def _maximum_loss(trade: Trade) -> Decimal | None:
    return None if trade.credit is None else (trade.width - trade.credit) * _units(trade)


def _credit_words(trade: Trade) -> str:
    if trade.credit is None:
        return NOT_KNOWN
    return f"{trade.credit:.2f} per unit, {_usd(trade.credit * _units(trade))}"


def _stop_words(trade: Trade) -> str:
    points = trade.rules.stop_loss_usd / _units(trade)
    if trade.credit is None:
        return _usd(trade.rules.stop_loss_usd)
    return (
        f"{_usd(trade.rules.stop_loss_usd)}: closed when buying the spread back costs "
        f"{trade.credit + points:.2f}, {points:.2f} points above the credit"
    )


def _usd(amount: Decimal | None) -> str:
    return NOT_KNOWN if amount is None else f"{amount:,.2f} USD"


def _price(price: Decimal | None) -> str:
    return NOT_KNOWN if price is None else f"{price:.2f}"


def _duration(length: timedelta) -> str:
    """H:MM:SS, hours beyond a day counted on."""
    seconds = int(length.total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
