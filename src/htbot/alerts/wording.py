"""What the alerts say (spec 01 section 9). Amounts are dollars, prices per unit, times New York."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from htbot.alerts.message import Fact, Message, compose
from htbot.alerts.troubles import trouble_of
from htbot.domain.alerts import Alert, Severity
from htbot.domain.fills import Fill
from htbot.domain.orders import Action, ExitReason
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import TREND_WORDS, Direction, Leg, Signal, SpreadLeg, broken_level
from htbot.domain.trades import Trade
from htbot.portfolio.pnl import commissions, maximum_loss_usd, net_price
from htbot.portfolio.positions import latest

NOT_KNOWN = "not known yet"


SPREAD_WORDS: dict[Direction, str] = {Direction.BULL: "bull put spread", Direction.BEAR: "bear call spread"}
SIDE_WORDS: dict[Direction, str] = {Direction.BULL: "bullish", Direction.BEAR: "bearish"}
LEVEL_WORDS: dict[Direction, str] = {Direction.BULL: "above the day's high", Direction.BEAR: "below the day's low"}

INDICATOR_WORDS: dict[str, str] = {
    "bars": "bars seen",
    "rsi": "RSI",
    "rsi_ema": "RSI's EMA",
    "sessions": "sessions seen",
    "sma_long": "long mean of closes",
    "sma_short": "short mean of closes",
}
COUNTS = frozenset({"bars", "sessions"})
"""Numbers of what was counted: whole."""

REASON_WORDS: dict[ExitReason, str] = {
    ExitReason.PROFIT_TARGET: "profit target",
    ExitReason.STOP_LOSS: "stop loss",
    ExitReason.TIME: "time",
    ExitReason.MARKET_CLOSE: "market close",
    ExitReason.MANUAL: "closed by hand",
    ExitReason.BREAKER: "circuit breaker",
    ExitReason.EXPIRY: "expiry",
    ExitReason.SIGNAL: "the strategy's signal",
    ExitReason.OTHER: "other",
}


def entry_key(trade: Trade) -> str:
    """What the mail of an entry is known by: it is told once."""
    return f"trade_entry:{trade.id}"


def exit_key(trade: Trade) -> str:
    """The same of the mail of an exit."""
    return f"trade_exit:{trade.id}"


def part_key(trade: Trade, level: int) -> str:
    """The one mail of what a profit level has sold."""
    return f"trade_part:{trade.id}:{level}"


def unsold_key(trade: Trade, level: int) -> str:
    """The one mail of a profit level that has sold nothing."""
    return f"{part_key(trade, level)}:unsold"


def entry_alert(trade: Trade, signal: Signal, fills: Sequence[Fill], as_of: datetime) -> Alert:
    """An entry was filled.

    Args:
        trade: the trade, with its credit.
        signal: what fired.
        fills: leg executions of the entry order.
        as_of: market time of the fill.
    """
    traded = _traded(trade)
    indicators = [_indicator(*one) for one in sorted(signal.indicators.items())]
    facts = [
        Fact("Strategy", trade.strategy),
        Fact("Account", trade.account),
        Fact("Direction", f"{SIDE_WORDS[trade.direction]}: {traded}"),
        Fact("Underlying", f"{trade.symbol} at {signal.price:.2f}"),
        *_looked_at(trade, signal),
        *indicators,
        *_leg_facts(trade, fills, opening=True),
        _opened_for(trade),
        Fact("Maximum loss", usd(maximum_loss_usd(trade))),
        Fact("Profit target", _target_words(trade)),
        Fact("Stop", _stop_words(trade)),
        Fact("Closed by", f"{at.astimezone(NEW_YORK):%H:%M %Z}" if (at := trade.rules.exit_at) else "held over night"),
        Fact("Signal", signal.reason),
    ]
    return compose(
        Message(
            kind="trade_entry",
            severity=Severity.INFO,
            title=f"Trade Entry - {_entered(trade)}",
            summary=f"{_entry_summary(trade)} Maximum loss: {usd(maximum_loss_usd(trade))}.",
            as_of=as_of,
            dedup_key=entry_key(trade),
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
        *_prices(trade),
        Fact("Gross P&L", usd(trade.gross_pnl_usd)),
        Fact("Commissions", usd(trade.commissions_usd)),
        Fact("Net P&L", usd(trade.net_pnl_usd)),
        Fact("Maximum gain", usd(trade.max_gain_usd)),
        Fact("Duration", _duration(closed_at - trade.opened_at)),
    ]
    return compose(
        Message(
            kind="trade_exit",
            severity=Severity.INFO,
            title=f"Trade Exit - {reason}: {trade.symbol} {_result(trade)}",
            summary=f"Closed {whole_name(trade)}: {reason}, {_result(trade)}.",
            as_of=as_of,
            dedup_key=exit_key(trade),
            facts=facts,
            account=trade.account,
            params={"trade_id": trade.id, "symbol": trade.symbol, "reason": trade.exit_reason or ExitReason.OTHER},
        )
    )


def part_alert(trade: Trade, level: int, fills: Sequence[Fill], as_of: datetime) -> Alert:
    """A part of a trade on shares was sold at a profit level, from 1; `fills` are those of this sale."""
    price = net_price(trade.legs, fills)
    units = sum(fill.quantity for fill in latest(fills))
    gross = None if price is None or trade.credit is None else (trade.credit + price) * units
    facts = [
        Fact("Strategy", trade.strategy),
        Fact("Account", trade.account),
        *_leg_facts(trade, fills, opening=False),
        Fact("Entry price", _leg_price(trade, trade.credit)),
        Fact("Gross P&L", usd(gross)),
        Fact("Commissions", usd(commissions(latest(fills)))),
    ]
    return compose(
        Message(
            kind="trade_part",
            severity=Severity.INFO,
            title=f"Profit Level {level}: {trade.symbol} {_signed(gross)}, {trade.left} of {trade.quantity} left",
            summary=f"Closed {units} {trade.symbol} {_traded(trade)}: "
            f"profit level {level}, {_signed(gross)} before commissions.",
            as_of=as_of,
            dedup_key=part_key(trade, level),
            facts=facts,
            account=trade.account,
            params={"trade_id": trade.id, "symbol": trade.symbol, "level": str(level)},
        )
    )


def unsold_alert(trade: Trade, level: int, why: str, as_of: datetime) -> Alert:
    """A profit level was reached and nothing was sold: it is not tried again, and `why` says what kept it."""
    return compose(
        Message(
            kind="trade_part",
            severity=Severity.WARNING,
            title=f"Profit Level {level} Not Sold: {trade.symbol}, {trade.left} of {trade.quantity} held",
            summary=f"{trade.symbol} came to profit level {level} and nothing was sold: {why}. This level is not tried "
            f"again; stop, target and the levels after it stand. To close it now: POST /api/v1/manual-close with "
            f'{{"position_ids": ["{trade.id}"]}}, or everything by htbot flatten --yes.',
            as_of=as_of,
            dedup_key=unsold_key(trade, level),
            facts=[Fact("Strategy", trade.strategy), Fact("Account", trade.account)],
            account=trade.account,
            params={"trade_id": trade.id, "symbol": trade.symbol, "level": str(level)},
        )
    )


def error_alert(
    source: str,
    detail: str,
    as_of: datetime,
    severity: Severity = Severity.CRITICAL,
    *,
    trade_id: str = "",
    account: str = "",
) -> Alert:
    """Something broke that a person should look at.

    Errors of one `source` are one type for the throttle; of one that is about a trade or an account, each of these is
    throttled by itself.
    """
    about = "".join(f"{one}:" for one in (account, trade_id) if one)
    whose = [Fact("Account", account)] if account else []
    trouble = trouble_of(source)
    return compose(
        Message(
            kind=f"error.{source}",
            severity=severity,
            title=f"{trouble.title} - {trade_id}" if trade_id else trouble.title,
            summary=trouble.meaning,
            as_of=as_of,
            dedup_key=f"error.{source}:{about}{as_of.isoformat()}",
            facts=[*whose, Fact("Detail", detail), Fact("What to do", trouble.way_out)],
            account=account,
            params={"trade_id": trade_id} if trade_id else {},
        )
    )


def _leg_facts(trade: Trade, fills: Sequence[Fill], *, opening: bool) -> list[Fact]:
    folded = latest(fills)
    return [Fact(f"Leg {number}", _leg_words(leg, folded, opening)) for number, leg in enumerate(trade.legs, start=1)]


def _leg_words(leg: Leg, fills: Sequence[Fill], opening: bool) -> str:
    side = Action.BUY if (leg.ratio > 0) is opening else Action.SELL
    own = [fill for fill in fills if fill.con_id == leg.con_id]
    quantity = sum(fill.quantity for fill in own)
    name = leg.symbol
    if isinstance(leg, SpreadLeg):
        name = f"{leg.symbol} {leg.expiry:%Y-%m-%d} {leg.strike.normalize():f} {leg.right.name.lower()}"
    if quantity == 0:
        return f"{side} {name}, conId {leg.con_id}, fill {NOT_KNOWN}"
    average = sum((fill.price * fill.quantity for fill in own), Decimal(0)) / quantity
    return f"{side} {quantity} {name}, conId {leg.con_id}, at {average:.2f}"


def _traded(trade: Trade) -> str:
    """What a trade is: a spread or an option by its name, shares by their side."""
    if trade.single is not None:
        return f"{trade.single.strike.normalize():f} {trade.single.right.name.lower()}"
    if trade.plain is None:
        return SPREAD_WORDS[trade.direction]
    return "shares, long" if trade.plain.ratio > 0 else "shares, short"


def _looked_at(trade: Trade, signal: Signal) -> list[Fact]:
    """What a spread's strategy watches; what has one leg, and a person, say it in the reason."""
    if len(trade.legs) == 1:
        return []
    broken = broken_level(signal.direction, signal.level, signal.levels)
    told = [] if broken is None else [Fact("Level broken", f"{broken:.2f} ({LEVEL_WORDS[trade.direction]})")]
    return [*told, *([Fact("Trend", TREND_WORDS[signal.trend])] if signal.trend else [])]


def _indicator(name: str, value: float) -> Fact:
    """A number that the strategy looked at, by the name that people have for it; a count without decimals."""
    label = INDICATOR_WORDS.get(name, name.replace("_", " "))
    return Fact(label[:1].upper() + label[1:], f"{value:.0f}" if name in COUNTS else f"{value:.2f}")


def whole_name(trade: Trade) -> str:
    """What is held, with its number: `1 SPX bull put spread, 4150/4110 put`."""
    return f"{trade.left or trade.quantity} {trade.symbol} {_traded(trade)}{_strikes(trade)}"


def _entered(trade: Trade) -> str:
    """`sold 1 SPX 4150/4110 put for 420.00 USD`, `bought 100 SPY for 40,000.00 USD`."""
    verb = "bought" if trade.width is None and trade.legs[0].ratio > 0 else "sold"
    name = _traded(trade) if trade.single is not None else _strikes(trade).removeprefix(", ")
    money = None if trade.credit is None else abs(trade.credit) * trade.units
    return f"{verb} {' '.join(filter(None, (str(trade.quantity), trade.symbol, name)))} for {usd(money)}"


def _result(trade: Trade) -> str:
    """`+395.60 USD`; before commissions while those are not known."""
    if trade.net_pnl_usd is None and trade.gross_pnl_usd is not None:
        return f"{_signed(trade.gross_pnl_usd)} before commissions"
    return _signed(trade.net_pnl_usd)


def _entry_summary(trade: Trade) -> str:
    if trade.width is not None:
        return f"Sold {trade.quantity} {trade.symbol} {_traded(trade)}{_strikes(trade)}, for {_price(trade.credit)}."
    verb = "Bought" if trade.legs[0].ratio > 0 else "Sold short"
    name = trade.symbol if trade.single is None else f"{trade.symbol} {_traded(trade)}"
    return f"{verb} {trade.quantity} {name} at {_leg_price(trade, trade.credit)}."


def _strikes(trade: Trade) -> str:
    """`, 4150/4110 put` of a spread, nothing of what has one leg."""
    legs = [leg for leg in trade.legs if isinstance(leg, SpreadLeg)]
    short, long = (next((leg for leg in legs if leg.ratio * side > 0), None) for side in (-1, 1))
    if short is None or long is None:
        return ""
    return f", {short.strike.normalize():f}/{long.strike.normalize():f} {short.right.name.lower()}"


def _leg_price(trade: Trade, credit: Decimal | None) -> str:
    """The price of a share or of an option from what our books call credit or debit."""
    return NOT_KNOWN if credit is None else _price(-credit * trade.legs[0].ratio)


def _opened_for(trade: Trade) -> Fact:
    if trade.width is None:
        return Fact("Entry price", _leg_price(trade, trade.credit))
    if trade.credit is None:
        return Fact("Net credit", NOT_KNOWN)
    return Fact("Net credit", f"{trade.credit:.2f} per unit, {usd(trade.credit * trade.units)}")


def _prices(trade: Trade) -> list[Fact]:
    if trade.width is not None:
        return [Fact("Sold for", _price(trade.credit)), Fact("Bought back for", _price(trade.debit))]
    told = (("Entry price", trade.credit), ("Exit price", trade.debit))
    return [Fact(name, _leg_price(trade, amount)) for name, amount in told]


def _target_words(trade: Trade) -> str:
    rules = trade.rules
    if rules.momentum is None:
        return _rule_words(rules.profit_target_usd, rules.target_price)
    run = f"sold when it turns above {rules.momentum.multiple:f} times its price"
    return run if rules.profit_target_usd is None else f"{usd(rules.profit_target_usd)}, or {run}"


def _rule_words(dollars: Decimal | None, price: Decimal | None) -> str:
    """An exit rule in dollars of the trade, as a price of a share, or both."""
    told = [*([] if dollars is None else [usd(dollars)]), *([] if price is None else [f"at {price.normalize():f}"])]
    return ", or ".join(told) or "none"


def _stop_words(trade: Trade) -> str:
    stop_usd = trade.rules.stop_loss_usd
    if stop_usd is None or trade.width is None:
        return _rule_words(stop_usd, trade.rules.stop_price)
    points = stop_usd / trade.units
    if trade.credit is None:
        return usd(stop_usd)
    return (
        f"{usd(stop_usd)}: closed when buying the spread back costs "
        f"{trade.credit + points:.2f}, {points:.2f} points above the credit"
    )


def usd(amount: Decimal | None) -> str:
    """Dollars as people read them."""
    return NOT_KNOWN if amount is None else f"{amount:,.2f} USD"


def _signed(amount: Decimal | None) -> str:
    return f"result {NOT_KNOWN}" if amount is None else f"{amount:+,.2f} USD"


def _price(price: Decimal | None) -> str:
    return NOT_KNOWN if price is None else f"{price:.2f}"


def _duration(length: timedelta) -> str:
    """H:MM:SS, hours beyond a day counted on."""
    seconds = int(length.total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
