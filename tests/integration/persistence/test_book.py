from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from tests.integration.persistence.conftest import Enter
from tests.support import plain
from tests.support.record import ACCOUNT, DAY, NOON, STRATEGY, approval, at, exit_of, fill, signal

from htbot.domain.decisions import RuleOutcome
from htbot.domain.errors import Retryable
from htbot.domain.orders import Action, IntentState, OrderIntent
from htbot.domain.signals import SpreadLeg
from htbot.domain.trades import Trade, TradeState
from htbot.persistence.book import _BOOK, BookKey, BookQuery
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.repositories import (
    DeskStateRepository,
    FillRepository,
    HaltRepository,
    HaltRequest,
    IntentRepository,
    RiskDecisionRepository,
    SignalRepository,
    TradeRepository,
)
from htbot.persistence.states import UNSETTLED
from htbot.risk.book import Book, UnsettledTrade
from htbot.risk.flood import fingerprint

KEY = BookKey(STRATEGY, ACCOUNT, DAY)


def book(database: Database, as_of: datetime, key: BookKey = KEY) -> Book:
    with database.transaction() as session:
        return BookQuery(session).read(key, as_of)


def save(database: Database, trade: Trade, from_state: TradeState) -> None:
    with database.transaction() as session:
        assert TradeRepository(session).save(trade, from_state)


def end_entry(database: Database, ref: str, state: IntentState) -> None:
    with database.transaction() as session:
        assert IntentRepository(session).withdraw(ref, at(2), "test", to_state=state)


def test_an_empty_record_is_an_empty_book_that_is_not_reconciled(database: Database) -> None:
    assert book(database, NOON) == Book()


def test_an_entry_under_way_counts_with_the_least_credit_it_accepts(database: Database, enter: Enter) -> None:
    enter(1, quantity=2)
    found = book(database, at(1))
    assert (found.open_trades, found.working_orders, found.entries_today, found.next_sequence) == (1, 1, 1, 2)
    assert found.last_entry_at == at(1)
    assert found.open_maximum_loss_usd == (40 - Decimal("4.00")) * 100 * 2


def test_an_open_trade_counts_with_the_credit_it_received(database: Database, enter: Enter) -> None:
    opened, intent = enter()
    end_entry(database, intent.ref, IntentState.EXPIRED)
    save(database, replace(opened, state=TradeState.OPEN, credit=Decimal("4.20")), TradeState.OPENING)
    found = book(database, at(5))
    assert found.open_maximum_loss_usd == Decimal("3580.00")
    assert (found.open_trades, found.working_orders) == (1, 0)


def test_a_partly_filled_entry_counts_whole(database: Database, enter: Enter) -> None:
    opened, _ = enter(1, quantity=3)
    save(database, replace(opened, quantity=1, credit=Decimal("4.25")), TradeState.OPENING)
    assert book(database, at(5)).open_maximum_loss_usd == Decimal(10800)


def test_a_closed_trade_is_realised_net_of_commissions(database: Database, enter: Enter) -> None:
    opened, _ = enter(1)
    closed = replace(
        opened,
        state=TradeState.CLOSED,
        closed_at=at(30),
        gross_pnl_usd=Decimal("-205.00"),
        commissions_usd=Decimal("5.20"),
    )
    save(database, closed, TradeState.OPENING)
    other, _ = enter(2, strategy="other")
    save(
        database,
        replace(other, state=TradeState.CLOSED, closed_at=at(40), gross_pnl_usd=Decimal("100.00")),
        TradeState.OPENING,
    )
    found = book(database, at(45))
    assert found.strategy_realized_today_usd == Decimal("-210.20")
    assert found.account_realized_today_usd == Decimal("-110.20")
    assert (found.open_trades, found.open_maximum_loss_usd) == (0, 0)
    assert found.last_exit_at == at(30)
    assert book(database, at(29)).last_exit_at is None
    assert book(database, at(45), BookKey("third", ACCOUNT, DAY)).strategy_realized_today_usd == 0


def test_an_entry_that_never_filled_counts_as_entry_but_not_as_exit(database: Database, enter: Enter) -> None:
    opened, _ = enter()
    save(database, replace(opened, state=TradeState.VOID, closed_at=at(3)), TradeState.OPENING)
    found = book(database, at(5))
    assert (found.entries_today, found.open_trades, found.last_exit_at) == (1, 0, None)


def test_another_account_is_not_seen(database: Database, enter: Enter) -> None:
    enter(1, account="DU2")
    assert book(database, at(4)) == Book()


def test_what_was_decided_on_younger_quotes_and_committed_first_counts(database: Database, enter: Enter) -> None:
    enter(5, strategy="other")
    found = book(database, at(4))
    assert (found.account_open_trades, found.working_orders, found.orders_last_minute, found.orders_today) == (1,) * 4
    assert found.open_maximum_loss_usd == found.unseen_value_usd == Decimal(3600)
    assert found.recent_orders == (), "it is another strategy's"
    assert (found.open_trades, found.entries_today, found.next_sequence) == (0, 0, 1)


def test_what_the_brokers_figures_may_not_show_yet(database: Database, enter: Enter) -> None:
    opened, intent = enter(1)
    assert book(database, at(30)).unseen_value_usd == Decimal(3600), "it works"
    end_entry(database, intent.ref, IntentState.EXPIRED)
    save(database, replace(opened, state=TradeState.OPEN, credit=Decimal("4.20")), TradeState.OPENING)
    assert book(database, at(1, 59)).unseen_value_usd == Decimal("3580.00"), "it has just been filled"
    later = book(database, at(2))
    assert (later.unseen_value_usd, later.open_maximum_loss_usd) == (0, Decimal("3580.00"))


def test_an_entry_that_was_filled_late_is_under_way_for_a_minute_after_its_last_fill(
    database: Database, enter: Enter
) -> None:
    opened, intent = enter(1)
    with database.transaction() as session:
        for number, leg in enumerate(intent.legs, 1):
            one = fill(intent, leg, f"1.0{number}.01", executed_at=at(1, 28 + number))
            assert FillRepository(session).add(one, at(2))
    end_entry(database, intent.ref, IntentState.EXPIRED)
    save(database, replace(opened, state=TradeState.OPEN, credit=Decimal("4.20")), TradeState.OPENING)
    assert book(database, at(2, 29)).unseen_value_usd == Decimal("3580.00")
    assert book(database, at(2, 30)).unseen_value_usd == 0


def test_entries_beyond_settled_cash_and_when_they_were_sold(database: Database, enter: Enter) -> None:
    """The warning of the decision says how it was paid, the fills say when."""

    def fills(intent: OrderIntent, leg: SpreadLeg, at: datetime, side: Action, exec_id: str) -> None:
        one = fill(intent, leg, exec_id, executed_at=at, side=side)
        with database.transaction() as session:
            assert FillRepository(session).add(one, at)

    def decided(number: int, reason: str) -> None:
        outcome = RuleOutcome("settlement", True, "0.00", "3600.00", reason)
        approved = replace(approval(number), outcomes=(replace(outcome, rule="quotes"), outcome))
        with database.transaction() as session:
            assert RiskDecisionRepository(session).add(approved)

    warned = "3600.00 USD are above settled cash of 0.00"
    for number, reason in ((1, warned), (2, ""), (3, warned)):
        decided(number, reason)
        opened, intent = enter(number)
        fills(intent, opened.legs[1], at(number), Action.BUY, f"1.0{number}.01")
        if number < 3:
            close = exit_of(opened, number)
            with database.transaction() as session:
                IntentRepository(session).add(close)
            fills(close, opened.legs[1], at(number, 30), Action.SELL, f"2.0{number}.01")
            end_entry(database, intent.ref, IntentState.EXPIRED)
            save(database, replace(opened, state=TradeState.VOID, closed_at=at(number, 40)), TradeState.OPENING)
    assert book(database, at(5)).unsettled_trades == (UnsettledTrade(DAY, DAY), UnsettledTrade(DAY, None))
    assert book(database, at(0)).unsettled_trades == ()
    later = BookKey(STRATEGY, ACCOUNT, DAY + timedelta(days=460))
    assert book(database, at(5) + timedelta(days=460), later).unsettled_trades == ()
    assert book(database, at(5), BookKey(STRATEGY, "DU2", DAY)).unsettled_trades == ()
    with database.transaction() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = session.execute(text(f"EXPLAIN SELECT 1 FROM risk_decisions WHERE {UNSETTLED}")).scalars().all()
    assert "ix_risk_decisions_unsettled" in " ".join(plan)
    assert f"decision.{UNSETTLED}" in str(_BOOK), "the book asks for just these"


def test_orders_of_the_last_minute(database: Database, enter: Enter) -> None:
    opened, intent = enter()
    with database.transaction() as session:
        IntentRepository(session).add(exit_of(opened, created_at=at(1, 30)))
    assert book(database, at(1, 30)).orders_last_minute == 2
    assert book(database, at(2)).orders_last_minute == 1, "a minute is half open"
    assert book(database, at(2, 30)).orders_last_minute == 0
    assert intent.created_at == at(1)


def test_orders_of_the_day_and_the_entries_that_may_be_repeated(database: Database, enter: Enter) -> None:
    opened, intent = enter(1)
    end_entry(database, intent.ref, IntentState.EXPIRED)
    save(database, replace(opened, state=TradeState.VOID, closed_at=at(2)), TradeState.OPENING)
    same, ended = enter(8)
    end_entry(database, ended.ref, IntentState.EXPIRED)
    save(database, replace(same, state=TradeState.VOID, closed_at=at(8, 30)), TradeState.OPENING)
    enter(9, quantity=2)
    enter(7, strategy="second")
    with database.transaction() as session:
        IntentRepository(session).add(exit_of(opened, created_at=at(5)))
    found = book(database, at(9))
    assert found.orders_today == 5
    own = fingerprint(intent.action, 1, intent.legs)
    assert [order.at for order in found.recent_orders if order.fingerprint == own] == [same.opened_at, at(1)]
    assert len(found.recent_orders) == 3, "closes are repeated when they must be, and others want what they want"
    later = book(database, at(11))
    assert [order.at for order in later.recent_orders] == [at(9), at(8)], "ten minutes, half open"
    assert later.orders_today == 5
    assert book(database, at(0)).orders_today == 5, "whatever the clock of their decisions says"


def test_trades_of_the_account_by_day_and_week(database: Database, enter: Enter) -> None:
    friday, monday = DAY, DAY - timedelta(days=4)
    enter(1)
    enter(2, strategy="other", session=monday, opened_at=at(-4 * 24 * 60))
    void, _ = enter(3, strategy="third")
    save(database, replace(void, state=TradeState.VOID, closed_at=at(4)), TradeState.OPENING)
    gone, _ = enter(4, strategy="fourth", session=monday - timedelta(days=3), opened_at=at(-7 * 24 * 60))
    assert friday.isoweekday() == 5
    found = book(database, at(9))
    assert (found.trades_today, found.trades_this_week, found.account_open_trades) == (1, 2, 3)
    save(database, replace(gone, state=TradeState.CLOSED, closed_at=at(5)), TradeState.OPENING)
    assert book(database, at(9)).account_open_trades == 2
    next_monday = BookKey(STRATEGY, ACCOUNT, DAY + timedelta(days=3))
    assert book(database, at(3 * 24 * 60), next_monday).trades_this_week == 0


def test_what_can_be_lost_is_split_by_underlying(database: Database, enter: Enter) -> None:
    enter(1)
    enter(2, strategy="other", symbol="SPY", quantity=2)
    found = book(database, at(9))
    assert found.value_by_symbol_usd == {"SPX": Decimal(3600), "SPY": Decimal(7200)}
    assert found.open_maximum_loss_usd == Decimal(10800)


def test_what_sales_have_brought_by_day(database: Database, enter: Enter) -> None:
    opened, intent = enter(1)
    short, long = opened.legs
    with database.transaction() as session:
        fills = FillRepository(session)
        fills.add(fill(intent, short, "1.01.01", "6.10"), at(1))
        fills.add(fill(intent, long, "1.02.01", "1.90"), at(1))
        late = datetime(2022, 8, 26, 3, 59, tzinfo=UTC)  # 23:59 of the day before in New York
        fills.add(fill(intent, short, "2.01.01", "1.00", executed_at=late), at(1))
        fills.add(fill(intent, short, "3.01.01", "9.00", executed_at=at(-14 * 24 * 60)), at(1))
    assert book(database, at(5)).sale_proceeds_usd == {DAY: Decimal(610), DAY - timedelta(days=1): Decimal(100)}


def test_signals_of_the_last_minute_count_whatever_came_of_them(database: Database) -> None:
    with database.transaction() as session:
        for seconds in (0, 1, 59, 60):
            SignalRepository(session).add(signal(4160.0 + seconds, as_of=at(0, seconds)), "refused")
        SignalRepository(session).add(signal(4300.0, strategy="other", as_of=at(0, 30)), None)
    assert book(database, at(0, 59)).signals_last_minute == 3
    assert book(database, at(1)).signals_last_minute == 3, "a minute is half open"


def test_levels_halts_and_reconciliation(database: Database, epoch: int) -> None:
    with database.transaction() as session:
        SignalRepository(session).add(signal(4160.25), "open_trade: one is open")
        HaltRepository(session).set(HaltRequest("api", "looks wrong", "operator", at(60)))
        DeskStateRepository(session).set_reconciled(epoch)
    found = book(database, NOON)
    assert found.spent_levels == {(1, 4160.25)}
    assert found.halted_by == "halt by api: looks wrong"
    assert found.reconciled


def test_a_second_decision_waits_for_the_first(database: Database, database_url: str) -> None:
    impatient = Database(database_url, EngineOptions(lock_timeout_ms=30))
    with database.transaction() as session:
        BookQuery(session).read(KEY, NOON)
        with pytest.raises(Retryable, match="lock timeout"), impatient.transaction() as other:
            BookQuery(other).read(KEY, NOON)
        with impatient.transaction() as other:
            BookQuery(other).read(BookKey("other", ACCOUNT, DAY), NOON)
    with impatient.transaction() as other:
        assert BookQuery(other).read(KEY, NOON) == Book()
    impatient.close()


def test_the_last_book_is_held_for_the_account(database: Database, database_url: str) -> None:
    impatient = Database(database_url, EngineOptions(lock_timeout_ms=30))
    with database.transaction() as session:
        BookQuery(session).read_last(KEY, NOON)
        with pytest.raises(Retryable, match="lock timeout"), impatient.transaction() as other:
            BookQuery(other).read_last(BookKey("other", ACCOUNT, DAY), NOON)
        with impatient.transaction() as other:
            BookQuery(other).read_last(BookKey("other", "DU2", DAY), NOON)
            BookQuery(other).read(KEY, NOON)
    impatient.close()


def test_shares_can_lose_what_lies_before_their_stop_and_tie_up_their_price(database: Database) -> None:
    with database.transaction() as session:
        working = plain.trade(rules=replace(plain.RULES, stop_loss_usd=Decimal(500)))
        short = plain.trade(2, plain.SHORT, id="short", strategy="short", state=TradeState.OPEN, credit=Decimal(400))
        unstopped = replace(
            short, id="none", strategy="none", symbol="QQQ", rules=replace(short.rules, stop_price=None)
        )
        for number, trade in enumerate((working, short, unstopped), 1):
            RiskDecisionRepository(session).add(approval(number), None)
            assert TradeRepository(session).add(trade)
            made = plain.entry(trade, number)
            state = {} if trade is working else {"ref": f"htbot-{trade.id}-E1"}
            assert IntentRepository(session).add(replace(made, **state))
            if trade is not working:
                assert IntentRepository(session).withdraw(f"htbot-{trade.id}-E1", at(3), "over")
    found = book(database, at(9))
    # bought at 400.50 at worst with a stop at 398, sold short at 400 with a stop at 402, and without one
    assert found.open_maximum_loss_usd == Decimal(250) + Decimal(200) + Decimal(40_000)
    assert found.value_by_symbol_usd == {"SPY": Decimal(40_050) + Decimal(40_000), "QQQ": Decimal(40_000)}
    assert found.sides == {(plain.LONG.con_id, 1), (plain.SHORT.con_id, -1)}, "one that works, two that are held"
