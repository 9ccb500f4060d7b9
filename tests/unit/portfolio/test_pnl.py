from __future__ import annotations

from decimal import Decimal

import pytest
from tests.support.spreads import DAY, LEGS, LONG, SHORT, entry_fills, exit_fills, fill, marks_at, trade

from htbot.domain.errors import StopTrading
from htbot.domain.instruments import Right
from htbot.domain.orders import Action
from htbot.domain.signals import SpreadLeg
from htbot.portfolio.pnl import assert_net_price, net_price, open_pnl, trade_result


@pytest.mark.parametrize(("cost", "pnl"), [("6.20", -200), ("0.20", 400), ("4.20", 0)])
def test_spec_01_section_7_pnl_of_an_open_trade(cost: str, pnl: int) -> None:
    assert open_pnl(trade("4.20"), marks_at(cost), "mid") == Decimal(pnl)


def test_pnl_scales_with_quantity_and_is_unknown_without_credit() -> None:
    assert open_pnl(trade("4.20", quantity=3), marks_at("6.20"), "mid") == Decimal(-600)
    assert open_pnl(trade(None), marks_at("6.20"), "mid") is None


def test_a_whole_trade() -> None:
    result = trade_result(LEGS, entry_fills(), exit_fills())
    assert (result.opened, result.closed) == (1, 1)
    assert (result.credit, result.debit) == (Decimal("4.20"), Decimal("0.20"))
    assert result.gross_usd == Decimal(400)
    assert result.commissions_usd == Decimal("4.40")
    assert result.net_usd == Decimal("395.60")


def test_net_is_unknown_until_every_commission_is_there() -> None:
    result = trade_result(LEGS, entry_fills(), exit_fills(commission=None))
    assert (result.gross_usd, result.commissions_usd, result.net_usd) == (Decimal(400), None, None)


def test_an_open_trade_has_no_gross() -> None:
    result = trade_result(LEGS, entry_fills(), [])
    assert (result.credit, result.debit, result.gross_usd) == (Decimal("4.20"), None, None)


def test_half_a_spread_is_no_spread() -> None:
    result = trade_result(LEGS, entry_fills()[:1], [])
    assert (result.opened, result.credit) == (0, None)


@pytest.mark.fault(34)
def test_partial_fills_average() -> None:
    more = [
        fill("e3.01.01", SHORT, Action.SELL, "6.30", seconds=1),
        fill("e4.01.01", LONG, Action.BUY, "1.90", seconds=1),
    ]
    result = trade_result(LEGS, [*entry_fills(), *more], exit_fills())
    assert (result.opened, result.closed, result.credit) == (2, 1, Decimal("4.30"))
    assert result.gross_usd == Decimal(410)


def test_an_average_without_an_end_is_what_the_record_keeps() -> None:
    opened = [fill(f"s{n}.01.01", SHORT, Action.SELL, "6.00") for n in range(3)]
    opened += [fill(f"l{n}.01.01", LONG, Action.BUY, "1.00") for n in range(3)]
    closed = [fill(f"b{n}.01.01", SHORT, Action.BUY, price) for n, price in enumerate(("2.00", "2.00", "2.01"))]
    closed += [fill(f"c{n}.01.01", LONG, Action.SELL, "1.00") for n in range(3)]
    result = trade_result(LEGS, opened, closed)
    assert (result.credit, result.debit) == (Decimal(5), Decimal("1.003333"))
    assert result.gross_usd == Decimal(1199), "the cash of it, not of a rounded average"


def test_closing_more_than_was_opened_stops() -> None:
    with pytest.raises(StopTrading, match="close 1 spreads, entry fills opened 0"):
        trade_result(LEGS, [], exit_fills())


def test_a_fill_of_another_contract_stops() -> None:
    stranger = SpreadLeg(99, "SPX", DAY, Decimal(4000), Right.PUT, 1)
    with pytest.raises(StopTrading, match="contract 99, which is no leg"):
        trade_result(LEGS, [*entry_fills(), fill("s.1.01", stranger, Action.BUY, "1.00")], [])


@pytest.mark.ruling(3)
def test_rulings_3_sum_of_legs_is_the_net_price() -> None:
    assert net_price(LEGS, entry_fills()) == Decimal("-4.20")
    assert net_price(LEGS, exit_fills()) == Decimal("-0.20")
    assert_net_price(LEGS, entry_fills(), Decimal("-4.20"))
    with pytest.raises(StopTrading, match=r"its legs sum to -4\.20"):
        assert_net_price(LEGS, entry_fills(), Decimal("-4.25"))
    with pytest.raises(StopTrading, match="a leg has no execution"):
        assert_net_price(LEGS, entry_fills()[:1], Decimal("-4.20"))
