"""When an open trade must be closed: one pure decision for the desk's guard, `mark_pnl` and every other caller.

Precedence (spec 01 section 7): the hard flat deadline, the exit time, the stop, the target. Time needs no price. Stop
and target want a believable one (RULINGS 6): legs fresh, uncrossed and not too wide, and the condition true either on
two consecutive quotes at least 1 s apart or at once when it also holds on the natural price, which can be had for sure.
A stop's natural price is the worse of the two, so a believable stop never waits; a target at mid does.

A bought leg that prices nothing, its line dead or refused, switches no stop off (RULINGS 5): after `BLIND_LIMIT` the
stop, and nothing else, is judged with that leg at nothing.

A bought option that has run and turns (`MomentumExit`) is sold after these: by a closed bar of its bids, and while
somebody bids.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from htbot.domain.orders import ExitReason
from htbot.domain.trades import ExitRules, Trade
from htbot.execution.bid_bars import BidBars, has_turned
from htbot.execution.protective import protective_prices
from htbot.portfolio.marks import Marks, sold_alone
from htbot.portfolio.pnl import whole_pnl

CONFIRM_AFTER = timedelta(seconds=1)
BLIND_LIMIT = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class ExitWatch:
    """What the guard remembers of one trade between two looks; start with an empty one.

    `pending` is a condition seen once, on the quote of `since`. `max_gain_usd` is the running maximum of the P&L on
    the trade's basis, over believable prices. `last_good` are the last believable prices; `blind_since` the market
    time from which a sold leg had no ask, None while it has one (RULINGS 5), `wing_blind_since` that from which a
    bought leg priced nothing; `bids` are the bars of a bought option.
    """

    pending: ExitReason | None = None
    since: datetime | None = None
    max_gain_usd: Decimal | None = None
    last_good: Marks | None = None
    blind_since: datetime | None = None
    wing_blind_since: datetime | None = None
    bids: BidBars = field(default_factory=BidBars)


@dataclass(frozen=True, slots=True)
class ExitDecision:
    """A trade is to be closed. `limit` and `value` are what was compared, `marks` the quotes it was seen on."""

    reason: ExitReason
    as_of: datetime
    limit: str
    value: str
    detail: str
    marks: Marks | None
    pnl_usd: Decimal | None


def target_usd(rules: ExitRules, credit: Decimal, units: int) -> Decimal | None:
    """The profit that closes a trade: the target, or the wanted share of the credit when that is less; None without.

    `units` is multiplier x quantity.
    """
    if rules.take_profit_fraction is None or rules.profit_target_usd is None:
        return rules.profit_target_usd
    return min(rules.profit_target_usd, rules.take_profit_fraction * credit * units)


def exit_decision(
    trade: Trade, marks: Marks | None, watch: ExitWatch, as_of: datetime
) -> tuple[ExitDecision | None, ExitWatch]:
    """Whether a trade is to be closed now, and what to remember until the next look.

    Args:
        trade: an open trade; without a `credit` only time closes it.
        marks: prices of its legs (`portfolio.marks.mark_spread`), None when there are none.
        watch: what the previous call returned.
        as_of: market time of this look, aware UTC.

    Returns:
        The decision, or None to stay; and the watch for the next call. As long as its condition holds a decision is
        repeated, so that an exit that could not be written yet is asked for again.
    """
    pnl = None if marks is None else whole_pnl(trade, marks, trade.rules.pnl_basis)
    watch = _remember(watch, marks, pnl, as_of)
    if trade.rules.momentum is not None:
        watch = replace(watch, bids=watch.bids.seen(as_of, _bid(marks), trade.rules.momentum.bar_minutes))
    due = _time_exit(trade.rules, as_of)
    if due is not None:
        reason, limit = due
        detail = f"{as_of.isoformat()} is at or past {limit.isoformat()}"
        return ExitDecision(reason, as_of, limit.isoformat(), as_of.isoformat(), detail, marks, pnl), watch
    if watch.blind_since is not None and as_of - watch.blind_since >= BLIND_LIMIT:
        return _blind_exit(watch, marks, as_of), watch
    if marks is not None and watch.wing_blind_since is not None and as_of - watch.wing_blind_since >= BLIND_LIMIT:
        return _stop_without_wing(trade, marks, watch, as_of)
    if marks is None or not marks.believable or pnl is None:
        return None, replace(watch, pending=None, since=None)
    decision, watch = _price_exit(trade, marks, watch, as_of)
    return decision or _momentum_exit(trade, marks, watch, as_of), watch


def _time_exit(rules: ExitRules, as_of: datetime) -> tuple[ExitReason, datetime] | None:
    if rules.flat_deadline is not None and as_of >= rules.flat_deadline:
        return ExitReason.MARKET_CLOSE, rules.flat_deadline
    if rules.exit_at is not None and as_of >= rules.exit_at:
        return ExitReason.TIME, rules.exit_at
    return None


def _remember(watch: ExitWatch, marks: Marks | None, pnl: Decimal | None, as_of: datetime) -> ExitWatch:
    if marks is None:
        return watch
    watch = replace(
        watch,
        blind_since=(watch.blind_since or as_of) if marks.short_without_ask else None,
        wing_blind_since=(watch.wing_blind_since or as_of) if marks.bought_without_bid else None,
    )
    if not marks.believable or pnl is None:
        return watch
    best = pnl if watch.max_gain_usd is None else max(watch.max_gain_usd, pnl)
    return replace(watch, last_good=marks, max_gain_usd=best)


def _blind_exit(watch: ExitWatch, marks: Marks | None, as_of: datetime) -> ExitDecision:
    limit_s = BLIND_LIMIT.total_seconds()
    blind_s = (as_of - watch.blind_since).total_seconds() if watch.blind_since is not None else limit_s
    detail = f"the sold leg has had no ask for {blind_s:.0f} s"
    return ExitDecision(ExitReason.OTHER, as_of, f"{limit_s:.0f} s", f"{blind_s:.0f} s", detail, marks, None)


def _stop_without_wing(
    trade: Trade, marks: Marks, watch: ExitWatch, as_of: datetime
) -> tuple[ExitDecision | None, ExitWatch]:
    """The stop alone, on the prices of the sold legs alone: they want to be as believable as those of a spread."""
    sold = sold_alone(trade.legs, marks)
    if sold is not None and sold.believable:
        decision, seen = _price_exit(trade, sold, watch, as_of)
        if seen.pending is ExitReason.STOP_LOSS:
            if decision is not None:
                detail = f"{decision.detail}, with a bought leg that prices nothing at nothing"
                decision = replace(decision, marks=marks, detail=detail)
            return decision, seen
    return None, replace(watch, pending=None, since=None)


def _condition(trade: Trade, pnl: Decimal) -> tuple[ExitReason, Decimal] | None:
    """The stop or the target that a P&L has reached, with its limit in dollars; the stop comes first."""
    if trade.credit is None:
        return None
    lowest, highest = bounds_usd(trade, trade.credit)
    if lowest is not None and pnl <= lowest:
        return ExitReason.STOP_LOSS, lowest
    if highest is not None and pnl >= highest:
        return ExitReason.PROFIT_TARGET, highest
    return None


def bounds_usd(trade: Trade, credit: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """The P&L at which a trade is closed, at a loss and at a gain; None = at none."""
    leg, rules = trade.plain, trade.rules
    if leg is None:
        stop = rules.stop_loss_usd
        return None if stop is None else -stop, target_usd(rules, credit, trade.units)
    prices = protective_prices(trade)
    at = [
        None if price is None else (leg.ratio * price + credit) * trade.units for price in (prices.stop, prices.target)
    ]
    return at[0], at[1]


def _price_exit(trade: Trade, marks: Marks, watch: ExitWatch, as_of: datetime) -> tuple[ExitDecision | None, ExitWatch]:
    quiet = watch if watch.pending is None and watch.since is None else replace(watch, pending=None, since=None)
    pnl, natural = whole_pnl(trade, marks, trade.rules.pnl_basis), whole_pnl(trade, marks, "natural")
    if pnl is None or natural is None:
        return None, quiet
    reached = _condition(trade, pnl)
    if reached is None:
        return None, quiet
    reason, limit = reached
    for_sure = _condition(trade, natural) == reached
    if watch.pending is not reason or watch.since is None:
        watch = replace(watch, pending=reason, since=marks.quoted_at)
    if not for_sure and not _apart(watch.since, marks.quoted_at):
        return None, watch
    detail = f"P&L at {trade.rules.pnl_basis} {pnl:.2f} USD, at natural {natural:.2f} USD"
    return ExitDecision(reason, as_of, f"{limit:.2f}", f"{pnl:.2f}", detail, marks, pnl), watch


def _bid(marks: Marks | None) -> Decimal | None:
    """The believable bid of a bought option, None where nobody bids."""
    return marks.legs[0].bid or None if marks is not None and marks.believable else None


def _momentum_exit(trade: Trade, marks: Marks, watch: ExitWatch, as_of: datetime) -> ExitDecision | None:
    rule, bar, bid = trade.rules.momentum, watch.bids.last, _bid(marks)
    if rule is None or bar is None or bid is None or trade.credit is None or not has_turned(rule, -trade.credit, bar):
        return None
    limit = rule.multiple * -trade.credit
    told = f"bids of {rule.bar_minutes} min: {bar.open} {bar.high} {bar.low} {bar.close}, bid now {bid}"
    pnl = whole_pnl(trade, marks, trade.rules.pnl_basis)
    return ExitDecision(ExitReason.PROFIT_TARGET, as_of, f"{limit:.2f}", f"{bar.high:.2f}", told, marks, pnl)


def _apart(first: datetime | None, second: datetime | None) -> bool:
    return first is not None and second is not None and second - first >= CONFIRM_AFTER
