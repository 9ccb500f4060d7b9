"""Every message in the layout of every version, read by ib_async's decoder, which unpacks exact field counts."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from ib_async import LimitOrder, MarketOrder, Stock
from ib_async.decoder import Decoder
from tests.support.paper_desk import PaperDesk
from tests.support.paper_world import SPX, HandMarket, option_id
from tests.support.tws_client import contract12, order_message, spread, unframed

from htbot.domain.instruments import Right
from htbot.paper.gateway import GatewayConfig

LONG, SHORT = option_id(4675, Right.PUT), option_id(4700, Right.PUT)
VERSIONS = [157, 158, 159, 160, 162, 163, 164, 165, 166, 169, 170, 174, 176, 177, 178]
EXPECTED = {
    "orderStatus", "openOrder", "execDetails", "commissionReport", "contractDetails", "historicalData",
    "historicalDataUpdate", "priceSizeTick", "tickSize", "tickOptionComputation", "position", "updatePortfolio",
    "updateAccountValue", "accountSummary", "accountUpdateMulti", "positionMulti", "completedOrder", "error", "pnl",
    "pnlSingle", "securityDefinitionOptionParameter", "symbolSamples", "marketRule", "tickReqParams", "currentTime",
}  # fmt: skip


class Recorder:
    """A wrapper that keeps every call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.ib = self
        self.TimezoneTWS = "US/Eastern"
        self.defaultTimezone = None

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.calls.append((name, args))


def session_of_everything(desk: PaperDesk, market: HandMarket, version: int) -> bytes:
    market.quotes[SHORT], market.quotes[LONG] = (8.1, 8.2), (3.3, 3.4)
    client = desk.client(high=version)
    bag = spread((SHORT, "SELL"), (LONG, "BUY"))
    option = contract12(LONG, exchange="SMART")
    issuer = [""] if version >= 176 else []
    cancel_time = [""] if version >= 169 else []
    client.ask(9, 8, 1, *option, 0, "", "", *issuer)
    client.ask(78, 2, "SPX", "", "IND", SPX)
    client.ask(81, 3, "SPY")
    client.ask(91, 26)
    client.ask(1, 11, 4, *option, 0, "", 0, 0, "")
    client.ask(20, 5, *contract12(SPX, exchange="CBOE"), 0, "", "1 min", "1 D", 1, "TRADES", 1, 1, "")
    client.ask(6, 2, 1, "")
    client.ask(61, 1)
    client.ask(62, 1, 6, "All", "NetLiquidation,HtbotWorld,$LEDGER")
    client.ask(74, 1, 7, "", "")
    client.ask(76, 1, 8, "", "", 0)
    client.ask(92, 10, desk.gateway.accounts[0], "")
    client.ask(94, 11, desk.gateway.accounts[0], "", LONG)
    client.ask(*order_message(1, bag, MarketOrder("BUY", 1, orderRef="r"), version))
    client.ask(*order_message(2, bag, LimitOrder("BUY", 1, -9), version))
    client.ask(*order_message(3, Stock("SPY", "SMART", "USD"), LimitOrder("BUY", 1, 400, whatIf=True), version))
    client.ask(4, 1, 2, *cancel_time)
    client.ask(49, 1)
    client.ask(49, 1)
    client.ask(7, 3, 12, 0, "", "", "", "", "", "")
    client.ask(99, 0)
    client.ask(9, 8, 13, *contract12(symbol="NONE", sec_type="STK"), 0, "", "", *issuer)
    return client.transport.written


@pytest.mark.parametrize("version", VERSIONS)
def test_every_message_is_decoded(tmp_path: Any, version: int, caplog: pytest.LogCaptureFixture) -> None:
    market = HandMarket()
    desk = PaperDesk(tmp_path, market, GatewayConfig(speed="max"))
    recorder = Recorder()
    decoder = Decoder(recorder, version)  # type: ignore[arg-type]
    with caplog.at_level(logging.ERROR):
        for fields in unframed(session_of_everything(desk, market, version))[1:]:
            decoder.interpret(fields)
    assert [record.getMessage() for record in caplog.records] == []
    names = {name for name, _args in recorder.calls}
    assert names >= EXPECTED
    filled = [args for name, args in recorder.calls if name == "orderStatus" and args[1] == "Filled"]
    assert filled[0][4] == -4.7
    [details] = [args[1] for name, args in recorder.calls if name == "contractDetails"]
    assert (details.contract.localSymbol, details.underConId) == ("SPXW  240102P04675000", SPX)
    assert details.marketRuleIds == "110,110"
