"""The gateway's ledger against the same trades added up by hand, currency by currency."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from htbot.domain.instruments import Contract, SecType
from htbot.domain.orders import Action
from htbot.paper.accounts.bookings import Booking, CashStyle, Stake, booking
from htbot.paper.accounts.ledger import Ledger
from htbot.paper.store import Store

ACCOUNT, CASH = "DU1", Decimal(100_000)
CONTRACTS = {
    1: Contract(1, "SPY", SecType.STOCK, "SMART"),
    2: Contract(2, "SPX", SecType.OPTION, "SMART", multiplier=100),
    3: Contract(3, "ES", SecType.FUTURE, "CME", multiplier=50),
    4: Contract(4, "BTC", SecType.CRYPTO, "PAXOS"),
    5: Contract(5, "EUR", SecType.FOREX, "IDEALPRO", "USD"),
    6: Contract(6, "EUR", SecType.FOREX, "IDEALPRO", "GBP"),
    7: Contract(7, "SAP", SecType.STOCK, "IBIS", "EUR"),
}


@dataclass
class Plain:
    """The same books without any rule: cash by adding up, positions by adding up."""

    cash: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal, {"USD": CASH}))
    held: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    carried: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def book(self, trade: Booking, sign: int = 1) -> None:
        self.held[trade.con_id] += sign * trade.signed
        self.cash["USD"] -= sign * trade.commission
        if trade.style is CashStyle.CARRIED:
            # what was paid to open and got to close is settled day by day: to the value at the last close
            self.carried[trade.con_id] += sign * trade.notional
            return
        self.cash[trade.currency] -= sign * trade.notional
        if trade.style is CashStyle.EXCHANGED:
            self.cash[trade.base] += sign * trade.signed


@st.composite
def trades(draw: st.DrawFn, con_ids: tuple[int, ...] = tuple(CONTRACTS)) -> Booking:
    contract = CONTRACTS[draw(st.sampled_from(con_ids))]
    fractional = contract.sec_type in {SecType.CRYPTO, SecType.FOREX}
    quantity = Decimal(draw(st.integers(1, 999))) / (1000 if fractional else 1)
    price = Decimal(draw(st.integers(1, 2000))) / 20
    fee = Decimal(draw(st.integers(-20, 300))) / 100
    return booking(ACCOUNT, contract, draw(st.sampled_from(Action)), quantity, price, fee)


TRADE, CORRECT, BUST, CLOSE = "trade", "correct", "bust", "close"
STEPS = st.lists(
    st.tuples(st.sampled_from([TRADE, TRADE, TRADE, CORRECT, BUST, CLOSE]), trades(), st.integers(0, 50)),
    max_size=30,
)


def check(ledger: Ledger, plain: Plain) -> None:
    account = ledger.accounts[ACCOUNT]
    expected = defaultdict(Decimal, {"USD": CASH - account.fees})
    for position in ledger.of(ACCOUNT):
        expected[position.currency] += position.now.flow
        if position.style is CashStyle.EXCHANGED:
            expected[CONTRACTS[position.con_id].symbol] += position.quantity
        assert position.quantity == plain.held[position.con_id]
        if not position.quantity:
            assert position.cost == position.now.carried == 0
    for currency in {*account.cash, *expected}:
        assert account.cash.get(currency, 0) == expected[currency]


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_money_is_conserved_currency_by_currency(steps: list[tuple[str, Booking, int]]) -> None:
    ledger = Ledger(Store(Path(":memory:")), [ACCOUNT], CASH)
    plain = Plain()
    today: list[Booking] = []
    for kind, trade, number in steps:
        if kind == CLOSE:
            values = {row.con_id: row.quantity * row.multiplier * (number + 1) for row in ledger.held(ACCOUNT)}
            ledger.close_day(ACCOUNT, CASH, CASH, values)
            for con_id, value in values.items():
                if CONTRACTS[con_id].sec_type is SecType.FUTURE:
                    plain.cash["USD"] += value - plain.carried[con_id]
                    plain.carried[con_id] = value
            today.clear()
        elif kind == TRADE or not today:
            ledger.book(trade)
            plain.book(trade)
            today.append(trade)
        else:
            wrong = today.pop(number % len(today))
            contract = CONTRACTS[wrong.con_id]
            right = (
                None
                if kind == BUST
                else booking(ACCOUNT, contract, wrong.side, wrong.quantity, trade.price, wrong.commission)
            )
            ledger.correct(wrong, right)
            plain.book(wrong, -1)
            if right is not None:
                plain.book(right)
                today.append(right)
        check(ledger, plain)
    flat = [con_id for con_id in CONTRACTS if CONTRACTS[con_id].sec_type is SecType.FUTURE]
    for currency, amount in plain.cash.items():
        # an open future has moved no cash for its notional: what it carries is still to be settled
        open_profit = sum(
            (
                plain.carried[con_id] - row.now.carried
                for con_id in flat
                if (row := ledger.positions.get((ACCOUNT, con_id)))
            ),
            Decimal(0),
        )
        settled = amount - (open_profit if currency == "USD" else 0)
        assert ledger.accounts[ACCOUNT].cash.get(currency, Decimal(0)) == settled


@settings(max_examples=80, deadline=None)
@given(st.lists(trades((1, 2, 3)), min_size=1, max_size=12), st.integers(0, 50), st.integers(1, 500))
def test_a_correction_leaves_what_the_right_trades_would_have_left(
    made: list[Booking], number: int, ticks: int
) -> None:
    wrong = made[number % len(made)]
    place = len(made) - 1 - made[::-1].index(wrong)  # of equal trades the last one is corrected
    right = booking(ACCOUNT, CONTRACTS[wrong.con_id], wrong.side, wrong.quantity, Decimal(ticks) / 4, wrong.commission)
    corrected, busted, plain, without = (Ledger(Store(Path(":memory:")), [ACCOUNT], CASH) for _ in range(4))
    for index, trade in enumerate(made):
        corrected.book(trade)
        busted.book(trade)
        plain.book(right if index == place else trade)
        if index != place:
            without.book(trade)
    corrected.correct(wrong, right)
    busted.correct(wrong, None)
    for put_right, expected in ((corrected, plain), (busted, without)):
        assert put_right.accounts[ACCOUNT].cash == expected.accounts[ACCOUNT].cash
        assert _unsettled(put_right) == _unsettled(expected)
        assert _held(put_right) == _held(expected)


def _held(ledger: Ledger) -> dict[int, Stake]:
    return {row.con_id: row.now for row in ledger.of(ACCOUNT) if row.now != Stake()}


def _unsettled(ledger: Ledger) -> dict[str, Decimal]:
    return {currency: amount for currency, amount in ledger.accounts[ACCOUNT].unsettled.items() if amount}


@settings(max_examples=40, deadline=None)
@given(st.lists(trades(), max_size=15), st.booleans())
def test_the_books_read_back_are_the_books(made: list[Booking], closed: bool) -> None:
    store = Store(Path(":memory:"))
    ledger = Ledger(store, [ACCOUNT], CASH)
    for index, trade in enumerate(made):
        ledger.book(trade)
        if closed and index == len(made) // 2:
            ledger.close_day(ACCOUNT, CASH, CASH, {})
    again = Ledger(store, [ACCOUNT], CASH)
    assert again.accounts == ledger.accounts
    assert again.positions == ledger.positions
    if made:
        again.correct(made[-1], None)
        ledger.correct(made[-1], None)
        assert again.accounts == ledger.accounts
        assert again.positions == ledger.positions
