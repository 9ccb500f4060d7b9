"""A connected `IB` of ib_async or ib_insync for the checks of their idiom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from .client import PATIENCE_S


class Desk:
    """A connected `IB` and the library that it is from."""

    def __init__(self, library: ModuleType, port: int, client_id: int = 6) -> None:
        self.library, self.port = library, port
        self.codes: list[int] = []
        self.ib = self.connected(client_id)

    server_version = 178
    """Nothing here depends on it."""

    def sound(self, _position: int) -> None:
        """Of a library that complains only the codes are heard."""

    def tidy(self) -> None:
        """After a failure: no working orders, no lines."""
        self.ib.reqGlobalCancel()
        for ticker in list(self.ib.tickers()):
            if ticker.contract is not None:
                self.ib.cancelMktData(ticker.contract)
        self.ib.sleep(0.1)

    events: tuple[Any, ...] = ()

    def connected(self, client_id: int) -> Any:
        ib = self.library.IB()
        ib.errorEvent += lambda _id, code, *_: self.codes.append(code)
        ib.connect("127.0.0.1", self.port, clientId=client_id, timeout=PATIENCE_S)
        return ib

    def until(self, found: Callable[[], Any], what: str, timeout: float = PATIENCE_S) -> Any:
        """Let the library work until it is so."""
        for _ in range(int(timeout / 0.02)):
            value = found()
            if value:
                return value
            self.ib.sleep(0.02)
        raise AssertionError(f"no {what} within {timeout:g} s; codes {self.codes[-3:]}")

    def spy(self) -> Any:
        contract = self.library.Stock("SPY", "SMART", "USD")
        self.ib.qualifyContracts(contract)
        return contract

    def option(self, away: float = 0.0, right: str = "P") -> Any:
        [chain, *_] = sorted(self.ib.reqSecDefOptParams("SPY", "", "STK", 756733), key=lambda row: -len(row.strikes))
        wanted = self.ib.reqTickers(self.spy())[0].marketPrice() * (1 + away)
        strike = min(chain.strikes, key=lambda value: abs(value - wanted))
        contract = self.library.Option("SPY", sorted(chain.expirations)[1], strike, right, "SMART")
        assert self.ib.qualifyContracts(contract)
        return contract

    def filled(self, contract: Any, order: Any) -> Any:
        trade = self.ib.placeOrder(contract, order)
        self.until(trade.isDone, "end of the trade")
        assert trade.orderStatus.status == "Filled", trade.log
        singles = [fill for fill in trade.fills if fill.contract.secType != "BAG"]
        self.until(lambda: all(fill.commissionReport.execId for fill in singles), "commission")
        return trade

    def resting(self, part: float = 0.8, **more: Any) -> Any:
        price = round(self.ib.reqTickers(self.spy())[0].marketPrice() * part, 2)
        trade = self.ib.placeOrder(self.spy(), self.library.LimitOrder("BUY", 1, price, **more))
        self.until(lambda: trade.orderStatus.status == "Submitted", "Submitted")
        return trade

    @contextmanager
    def second(self, client_id: int) -> Iterator[Any]:
        ib = self.connected(client_id)
        try:
            yield ib
        finally:
            ib.disconnect()
