"""What must be true of a played day, whatever the day was: checked on the summary that `htbot demo` prints.

The signals are held against an independent reading of the rules on the same bars, the prices against the gateway's own
quotes, the money against the fills.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.breakout_reading import Episode, Reading, Row, Rules

from htbot.bootstrap.paper import PaperOptions, build_market
from htbot.domain.instruments import UNDERLYINGS
from htbot.market.ports import ContractQuery, Market, Show

Summary = Mapping[str, Any]
WIDTH_STRIKES = 8


@dataclass(frozen=True)
class PlayedDay:
    """A summary with the world that it was played in. `rules` are the strategy's, as configured for the day."""

    summary: Summary
    market: Market
    rules: Rules

    @property
    def symbol(self) -> str:
        return str(self.summary["symbol"])

    @property
    def day(self) -> date:
        return date.fromisoformat(self.summary["date"])


def played(summary: Summary, data: Sequence[Path], rules: Rules, state_dir: Path, seed: int = 7) -> PlayedDay:
    """The day with a market of its own, made from the same data."""
    options = PaperOptions(
        state_dir=state_dir,
        market="replay" if data else "synthetic",
        data=tuple(data),
        symbol=summary["symbol"] if data else None,
        start=date.fromisoformat(summary["date"]),
        seed=seed,
    )
    return PlayedDay(summary, build_market(options, options.start), rules)


def check_day(day: PlayedDay) -> None:
    """Every rule of a day: those of strategy 1 on what it did, those of money and mails on everything."""
    own = replace(day, summary=_own(day.summary, day.symbol))
    check_signals(own)
    check_one_order_each(own)
    for trade in own.summary["trades"]:
        check_spread(day, trade)
        check_exit_rule(day, trade)
    for fill in own.summary["fills"]:  # what stands at the broker fills by what has traded since the last instant
        check_inside_quotes(day, fill)
    check_money(day.summary)
    check_mails(day.summary)


def _own(summary: Summary, symbol: str) -> Summary:
    """What was done in one underlying."""
    kept = {name: [row for row in summary[name] if row["symbol"] == symbol] for name in ("signals", "fills", "trades")}
    orders = [row for row in summary["orders"] if row["legs"][0]["symbol"] == symbol]
    return {**summary, **kept, "orders": orders}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def check_signals(day: PlayedDay) -> None:
    """Exactly the signals that the rules give on these bars."""
    session = day.market.sessions.on(day.day)
    assert session is not None
    history = day.market.sessions.before(day.day, history_sessions(day.rules.minutes))
    first = history[0].opens if history else session.opens
    con_id = day.market.details(_query(day.symbol), session.opens)[0].contract.con_id
    bars = day.market.candles(con_id, day.rules.minutes * 60, first, session.closes, Show.TRADES)
    rows = [Row(bar.start, bar.open, bar.high, bar.low, bar.close) for bar in bars]
    reading = Reading(rows, session.opens, session.closes, day.rules)
    expected = [(item.at, item.direction, item.level) for item in reading.signals(_episodes(day.summary))]
    told = [(at(item["ts"]), item["direction"], item["level"]) for item in day.summary["signals"]]
    assert told == expected


def history_sessions(minutes: int) -> int:
    """Sessions that the desk loads before the first (RULINGS 20)."""
    return -(-600 // (390 // minutes)) + 1


def _query(symbol: str) -> ContractQuery:
    facts = UNDERLYINGS[symbol]
    return ContractQuery(symbol=symbol, sec_type=facts.sec_type.value, exchange=facts.exchange, currency="USD")


def _episodes(summary: Summary) -> list[Episode]:
    trades = {at(trade["opened_at"]): trade for trade in summary["trades"]}
    entries = {at(order["submitted_at"]): order for order in summary["orders"] if order["purpose"] == "entry"}
    found = []
    for signal in summary["signals"]:
        when = at(signal["ts"])
        if not signal["accepted"]:
            found.append(Episode(when))
        elif when in trades:
            closed = at(trades[when]["closed_at"])
            found.append(Episode(when, busy_until=closed, exited_at=closed))
        else:
            found.append(Episode(when, busy_until=at(entries[when]["changed_at"])))
    return found


def check_one_order_each(day: PlayedDay) -> None:
    """One entry per accepted signal, one exit per trade, nothing else."""
    entries = [order for order in day.summary["orders"] if order["purpose"] == "entry"]
    exits = [order for order in day.summary["orders"] if order["purpose"] == "exit"]
    accepted = [signal["ts"] for signal in day.summary["signals"] if signal["accepted"]]
    assert [order["submitted_at"] for order in entries] == accepted
    assert len({order["ref"] for order in day.summary["orders"]}) == len(day.summary["orders"])
    assert sorted(order["trade_id"] for order in exits) == sorted(trade["id"] for trade in day.summary["trades"])
    assert all(order["status"] == "FILLED" for order in exits)
    assert all(order["action"] == "BUY" and Decimal(order["limit"]) < 0 for order in entries)
    assert all(order["action"] == "SELL" and Decimal(order["limit"]) < 0 for order in exits)


def check_spread(day: PlayedDay, trade: Mapping[str, Any]) -> None:
    """Second and tenth strike out of the money on the right side, expiring today, short leg sold."""
    short = next(leg for leg in trade["legs"] if leg["side"] == "SELL")
    long = next(leg for leg in trade["legs"] if leg["side"] == "BUY")
    right, step = ("P" if trade["direction"] > 0 else "C"), UNDERLYINGS[day.symbol].strike_step
    spot = Decimal(str(_spot(day, at(trade["opened_at"]))))
    towards = -1 if right == "P" else 1
    grid = [step * number for number in range(int(spot / step) - 40, int(spot / step) + 41)]
    out = sorted((strike for strike in grid if (strike - spot) * towards > 0), key=lambda strike: abs(strike - spot))
    assert {leg["right"] for leg in trade["legs"]} == {right}
    assert {leg["expiry"] for leg in trade["legs"]} == {day.summary["date"]}
    assert (Decimal(short["strike"]), Decimal(long["strike"])) == (out[1], out[9])
    assert Decimal(trade["width"]) == WIDTH_STRIKES * step
    assert 0 < Decimal(trade["credit"]) < Decimal(trade["width"])


def _spot(day: PlayedDay, when: datetime) -> float:
    quote = day.market.quote(day.market.details(_query(day.symbol), when)[0].contract.con_id, when)
    assert quote is not None
    price = quote.last if quote.last is not None else quote.mid
    assert price is not None
    return price


def check_exit_rule(day: PlayedDay, trade: Mapping[str, Any]) -> None:
    """Closed for the reason that it names, and not by mistake of another."""
    session = day.market.sessions.on(day.day)
    assert session is not None
    closes_early = session.early_close
    exit_at = session.at(15, 0) if not closes_early else min(session.at(15, 0), _minus_hour(session.closes))
    facts, gross = UNDERLYINGS[day.symbol], Decimal(trade["gross_pnl"])
    reason, closed_at = trade["exit_reason"], at(trade["closed_at"])
    if reason == "time":
        assert closed_at >= exit_at
    elif reason == "profit_target":
        assert closed_at < exit_at
        assert gross > 0
    elif reason == "stop_loss":
        assert closed_at < exit_at
        assert gross <= -facts.stop_loss_usd / 2
    else:
        raise AssertionError(f"{trade['id']} was closed by {reason}")
    assert closed_at < session.closes


def _minus_hour(closes: datetime) -> datetime:
    return datetime.fromtimestamp(closes.timestamp() - 3600, closes.tzinfo)


def check_inside_quotes(day: PlayedDay, fill: Mapping[str, Any]) -> None:
    """No leg trades better than its quote's far side or worse than its near one."""
    quote = day.market.quote(fill["con_id"], at(fill["ts"]))
    assert quote is not None
    bid = Decimal(str(quote.bid)) if quote.bid is not None else Decimal(0)
    price = Decimal(fill["price"])
    assert bid <= price
    assert quote.ask is None or price <= Decimal(str(quote.ask))


def check_money(summary: Summary) -> None:
    """Fills less commissions are the trades' net P&L, to the cent; the day's figures are their sums."""
    by_ref = {order["ref"]: order["trade_id"] for order in summary["orders"]}
    cash: dict[str, Decimal] = {}
    fees: dict[str, Decimal] = {}
    for fill in summary["fills"]:
        trade_id = by_ref[fill["ref"]]
        sign = 1 if fill["side"] == "SELL" else -1
        multiplier = 100 if fill["strike"] else 1
        amount = sign * fill["quantity"] * Decimal(fill["price"]) * multiplier
        cash[trade_id] = cash.get(trade_id, Decimal(0)) + amount
        fees[trade_id] = fees.get(trade_id, Decimal(0)) + Decimal(fill["commission"])
    for trade in summary["trades"]:
        assert Decimal(trade["gross_pnl"]) == cash[trade["id"]]
        assert Decimal(trade["commissions"]) == fees[trade["id"]]
        assert Decimal(trade["net_pnl"]) == cash[trade["id"]] - fees[trade["id"]]
    assert Decimal(summary["pnl"]["gross"]) == sum(cash.values(), Decimal(0))
    assert Decimal(summary["pnl"]["net"]) == sum(cash.values(), Decimal(0)) - sum(fees.values(), Decimal(0))


def check_mails(summary: Summary) -> None:
    """One mail per entry and one per exit, told once."""
    subjects = [mail["subject"] for mail in summary["mails"]]
    assert sum("Trade Entry" in subject for subject in subjects) == len(summary["trades"])
    assert sum("Trade Exit" in subject for subject in subjects) == len(summary["trades"])
