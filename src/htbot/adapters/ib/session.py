"""The one session per IB login: connection, requests, streams and orders (ARCHITECTURE section 2, `desk`)."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

import ib_async as ib

from htbot.adapters.ib.lanes import LaneClient, Undisturbed
from htbot.adapters.ib.translation import (
    bar_from_ib,
    contract_from_ib,
    decimal_or_none,
    intent_order,
    listed_among,
    option_query,
    order_contract,
    quote_from_ticker,
    underlying_contract,
    what_if_from_ib,
    what_if_order,
)
from htbot.adapters.ib.wrapper import Sink, TellingWrapper, execution_message, open_order_message
from htbot.domain.bars import Bar
from htbot.domain.errors import ConfigurationError, NotFound, Retryable
from htbot.domain.instruments import Contract, Instrument, Underlying
from htbot.domain.margin import MarginQuestion, WhatIf
from htbot.domain.orders import OrderIntent
from htbot.domain.quotes import Quote
from htbot.execution.messages import BagExecutionMessage, LegExecutionMessage, OpenOrderMessage
from htbot.marketdata.messages import BarMessage, ConnectionMessage
from htbot.marketdata.snapshot import ListedOption

# Request ids start far above any order id, so that an error's id is never ambiguous.
_FIRST_REQUEST_ID = 1_000_000_000
# Generic tick: shares that can be borrowed.
_SHORTABLE = "236"
_TRADED = frozenset({"OPT", "STK"})
# "No security definition has been found": the one code that says a contract does not exist.
_NO_CONTRACT = 200
# Of an account value in dollars, a bare one included.
_CURRENCIES = ("USD", "BASE", "")
_CONNECT_TIMEOUT_S = 10.0
_REQUEST_TIMEOUT_S = 20.0
_WHAT_IF_TIMEOUT_S = 10.0

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IbAddress:
    """Where the gateway listens, who we are; `stepped` opts in to market time by barrier (ARCHITECTURE section 5).

    `throttled` keeps to the broker's messages a second; a stepped gateway does not count them.
    """

    host: str
    port: int
    client_id: int
    stepped: bool = False
    throttled: bool = True


class IbSession:
    """An ib_async connection whose messages go to one sink, in order. All coroutines run in the desk's loop."""

    def __init__(self, address: IbAddress, sink: Sink, undisturbed: Undisturbed = nullcontext) -> None:
        self._address = address
        self._sink = sink
        self._ib = ib.IB()
        self._wrapper = TellingWrapper(self._ib)
        self._wrapper.attach(sink)
        self._ib.wrapper = self._wrapper
        self._client: Any = LaneClient(
            self._wrapper, throttled=address.throttled and not address.stepped, undisturbed=undisturbed
        )
        self._ib.client = self._client
        self._client.apiEnd += self._on_disconnected
        self._ib.RaiseRequestErrors = True
        if address.stepped:
            self._client.optCapab = "stepped"
        self.next_valid_id = 0
        self._leaving = False
        self._tickers: dict[int, ib.Ticker] = {}
        self._borrowing: set[int] = set()
        self._bar_lists: dict[tuple[int, int], ib.BarDataList] = {}

    @property
    def client_id(self) -> int:
        """The API client id of this session."""
        return self._address.client_id

    @property
    def connected(self) -> bool:
        """True while the socket is up and the API ready."""
        return bool(self._ib.isConnected())

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts of the login."""
        return tuple(self._client.getAccounts())

    async def connect(self) -> None:
        """Connect and load orders, executions, positions and account values; `Retryable` when nobody answers."""
        try:
            await self._connect()
        except (OSError, TimeoutError, ib.RequestError) as error:
            place = f"{self._address.host}:{self._address.port}"
            reason = str(error) or type(error).__name__
            raise Retryable(f"no IB gateway at {place} as client {self.client_id}: {reason}") from error
        self._leaving = False
        self._tickers.clear()
        self._borrowing.clear()
        self._bar_lists.clear()
        # The ids that connecting has used lie directly above nextValidId; whoever reserves only needs a lower bound.
        self.next_valid_id = self._client._reqIdSeq  # noqa: SLF001
        self._client.updateReqId(_FIRST_REQUEST_ID)

    async def _connect(self) -> None:
        """ib_async waits for the time-out even when the gateway hangs up at once, as one does that is starting."""
        hung_up = asyncio.Event()

        def end(_reason: str) -> None:
            hung_up.set()

        address, self._wrapper.positions_told = self._address, False
        attempt = asyncio.ensure_future(
            self._ib.connectAsync(address.host, address.port, address.client_id, timeout=_CONNECT_TIMEOUT_S)
        )
        waiting = asyncio.ensure_future(hung_up.wait())
        self._client.conn.disconnected += end
        try:
            await asyncio.wait([attempt, waiting], return_when=asyncio.FIRST_COMPLETED)
            if not attempt.done():
                raise ConnectionError("it hung up")
            await attempt
            if not self._wrapper.positions_told:  # ib_async goes on without them
                self.disconnect()
                raise TimeoutError(f"positions were not told within {_CONNECT_TIMEOUT_S:g} s")
            self._write_at_once()
        finally:
            self._client.conn.disconnected -= end
            waiting.cancel()
            attempt.cancel()
            await asyncio.gather(attempt, return_exceptions=True)

    def _write_at_once(self) -> None:
        """Each message goes to the socket when it is written, not when the turn of the event loop is over."""
        transport = self._client.conn.transport
        if transport is not None:  # else it is lost again already
            transport.set_write_buffer_limits(0)

    def disconnect(self) -> None:
        """Leave; orders at the broker go on. An end that we make ourselves is not told."""
        self._leaving = True
        self._ib.disconnect()

    def leave(self, why: str) -> None:
        """Leave because somebody wants it: told as the end of the session, with the reason."""
        self.disconnect()
        self._sink(ConnectionMessage(connected=False, text=why))

    def _on_disconnected(self) -> None:
        if not self._leaving:
            self._sink(ConnectionMessage(connected=False, text="socket closed"))

    def request_time(self) -> None:
        """Ask for the broker's time: heartbeat, and in a stepped world the answer to an instant."""
        self._client.reqCurrentTime()

    async def current_time(self) -> datetime:
        """The broker's time, aware UTC, asked for and waited for: one round trip."""
        told = await self._within(self._ib.reqCurrentTimeAsync())
        return told.astimezone(UTC)

    # --- what the broker holds -------------------------------------------------------------------------------------

    def positions(self) -> dict[tuple[str, int], tuple[Contract, int]]:
        """Broker positions by (account, contract id); flat ones are absent."""
        held = {}
        for position in self._ib.positions():
            if position.position and position.contract.secType in _TRADED:
                contract = contract_from_ib(position.contract)
                held[(position.account, contract.con_id)] = (contract, int(position.position))
        return held

    def holdings(self, account: str) -> dict[int, int]:
        """Quantities of the same in one account, by contract id: a close asks for nothing more, and in a hurry."""
        return {
            position.contract.conId: int(position.position)
            for position in self._ib.positions(account)
            if position.position and position.contract.secType in _TRADED
        }

    def account_value(self, account: str, tag: str) -> str | None:
        """The latest text of one account value, or None while the broker has not told it."""
        values = self._wrapper.accountValues  # by key: a search through those of every account would hold up a close
        found = (values.get((account, tag, currency, "")) for currency in _CURRENCIES)
        return next((str(value.value) for value in found if value is not None), None)

    def account_amount(self, account: str, tag: str) -> Decimal | None:
        """The latest amount of one account value in dollars, or None."""
        return decimal_or_none(self.account_value(account, tag))

    async def open_orders(self) -> list[OpenOrderMessage]:
        """Working orders of every client, then the completed ones of today.

        A working order's state is what the broker answers now: ib_async's own calls it cancelled after any error that
        carried its id, and keeps to that (RULINGS 4).
        """
        self._wrapper.open_orders.clear()
        await self._within(self._ib.reqAllOpenOrdersAsync())
        working = list(self._wrapper.open_orders.values())
        done = await self._within(self._ib.reqCompletedOrdersAsync(apiOnly=False))
        return working + [_completed_message(trade) for trade in done]

    async def executions(self) -> list[LegExecutionMessage | BagExecutionMessage]:
        """Executions of today; their commission reports come through the sink."""
        fills = await self._within(self._ib.reqExecutionsAsync())
        return [execution_message(fill.contract, fill.execution) for fill in fills]

    # --- contracts and data ----------------------------------------------------------------------------------------

    async def qualify(self, underlying: Underlying) -> Contract:
        """The broker's contract of an underlying; `ConfigurationError` when it knows none."""
        try:
            return await self.resolve(underlying)
        except NotFound as error:
            text = f"HTBOT_SYMBOL={underlying.symbol}: the broker knows no such contract"
            raise ConfigurationError(text) from error

    async def resolve(self, instrument: Instrument) -> Contract:
        """The broker's contract of a stock, fund or index; `NotFound` when it knows none."""
        try:
            details = await self._within(self._ib.reqContractDetailsAsync(underlying_contract(instrument)))
        except ib.RequestError as error:
            if error.code != _NO_CONTRACT:
                raise Retryable(f"contract of {instrument.symbol}: {error}") from error
            details = []
        known = _contracts(details)
        if not known:
            raise NotFound(f"the broker knows no {instrument.sec_type.value} {instrument.symbol}")
        return known[0]

    async def listed_options(self, underlying: Underlying, expiry: date) -> list[ListedOption]:
        """The options really listed for one expiry, by strike; empty when there are none (error 200)."""
        try:
            details = await self._within(self._ib.reqContractDetailsAsync(option_query(underlying, expiry)))
        except ib.RequestError as error:
            if error.code != _NO_CONTRACT:
                raise Retryable(f"options of {underlying.symbol}: {error}") from error
            _log.warning("no options of %s for %s: %s", underlying.symbol, expiry, error)
            return []
        return listed_among(_contracts(details), underlying, expiry)

    async def stream_bars(self, contract: Contract, minutes: int, days: int) -> list[Bar]:
        """Regular-hours bars of the last `days`, kept up to date through the sink; the last may be open.

        The same stream of before is given up. `Retryable` when the broker has no history or does not answer.
        """
        self.stop_bars(contract, minutes)
        size = f"{minutes} mins" if minutes > 1 else "1 min"
        try:
            bars = await self._within(
                self._ib.reqHistoricalDataAsync(
                    _query(contract), "", f"{days} D", size, "TRADES", useRTH=True, formatDate=2, keepUpToDate=True
                )
            )
        except ib.RequestError as error:
            raise Retryable(f"no history of {contract.symbol}: {error}") from error
        self._bar_lists[contract.con_id, minutes] = bars
        history = [bar_from_ib(contract.symbol, minutes, bar) for bar in bars]

        def tell(updated: ib.BarDataList, has_new_bar: bool) -> None:
            # A new bar closes the one before it: tell its final values first.
            first = -2 if has_new_bar and len(updated) > 1 else -1
            for bar in updated[first:]:
                self._sink(BarMessage(bar_from_ib(contract.symbol, minutes, bar)))

        bars.updateEvent += tell
        return history

    def stop_bars(self, contract: Contract, minutes: int) -> None:
        """Stop streaming bars of a length."""
        bars = self._bar_lists.pop((contract.con_id, minutes), None)
        if bars is not None:
            self._ib.cancelHistoricalData(bars)

    async def history(self, contract: Contract, minutes: int, days: int) -> list[Bar]:
        """Regular-hours bars of the last `days`, once; the last may be open. `Retryable` when the broker has none."""
        size = f"{minutes} mins" if minutes > 1 else "1 min"
        try:
            bars = await self._ib.reqHistoricalDataAsync(
                _query(contract), "", f"{days} D", size, "TRADES", useRTH=True, formatDate=2
            )
        except ib.RequestError as error:
            raise Retryable(f"no history of {contract.symbol}: {error}") from error
        return [bar_from_ib(contract.symbol, minutes, bar) for bar in bars]

    def subscribe(self, contract_id: int, exchange: str, *, borrowing: bool = False) -> None:
        """Stream the quotes of one contract; with `borrowing` also how many shares of it can be borrowed."""
        if borrowing and contract_id not in self._borrowing:
            self.unsubscribe(contract_id)
            self._borrowing.add(contract_id)
        if contract_id not in self._tickers:
            query = ib.Contract(conId=contract_id, exchange=exchange)
            self._tickers[contract_id] = self._ib.reqMktData(query, _SHORTABLE if borrowing else "")

    def unsubscribe(self, contract_id: int) -> None:
        """Stop streaming one contract."""
        self._borrowing.discard(contract_id)
        ticker = self._tickers.pop(contract_id, None)
        if ticker is not None and ticker.contract is not None:
            self._ib.cancelMktData(ticker.contract)

    def renew(self, contract_id: int) -> None:
        """Ask for the quotes of a streamed contract anew: a line that lives answers with those that stand.

        Until it does, the ones before are told.
        """
        query = self._tickers[contract_id].contract
        if query is not None:
            self._ib.cancelMktData(query)
            borrowing = _SHORTABLE if contract_id in self._borrowing else ""
            self._tickers[contract_id] = self._ib.reqMktData(query, borrowing)

    def shortable(self, contract_id: int) -> float | None:
        """Shares of a streamed stock that can be borrowed; None while the broker has not told."""
        ticker = self._tickers.get(contract_id)
        return None if ticker is None or math.isnan(ticker.shortableShares) else ticker.shortableShares

    @property
    def subscribed(self) -> frozenset[int]:
        """The contracts that are streamed now."""
        return frozenset(self._tickers)

    def quote(self, contract_id: int, as_of: datetime) -> Quote | None:
        """The quote of a streamed contract as of a market time, or None before its first tick."""
        ticker = self._tickers.get(contract_id)
        if ticker is None or ticker.time is None:
            return None
        return quote_from_ticker(ticker, as_of)

    # --- orders ----------------------------------------------------------------------------------------------------

    def place(self, intent: OrderIntent, order_id: int, limit: Decimal, quantity: int | None = None) -> None:
        """Send an order, or modify it when the id is working. Raises ConnectionError when the socket is gone."""
        self._client.placeOrder(order_id, order_contract(intent), intent_order(intent, order_id, limit, quantity))

    def cancel(self, order_id: int) -> None:
        """Ask the broker to cancel one order of this client."""
        self._client.cancelOrder(order_id, "")

    async def what_if(self, question: MarginQuestion, order_id: int, within_s: float = _WHAT_IF_TIMEOUT_S) -> WhatIf:
        """The account as it would stand after an order that is not placed; `order_id` is one that nothing else uses.

        Raises:
            ConnectionError: the socket is gone.
        """
        answer: asyncio.Future[ib.OrderState] = self._wrapper.startReq(order_id)  # type: ignore[no-untyped-call]
        self._client.placeOrder(order_id, order_contract(question), what_if_order(question, order_id))
        try:
            return what_if_from_ib(await asyncio.wait_for(answer, within_s))
        except TimeoutError:
            return WhatIf(unknown=f"the broker did not answer within {within_s:g} s")
        except ib.RequestError as error:
            return WhatIf(rejected=f"broker error {error.code}: {error.message}")

    @staticmethod
    async def _within(request: Awaitable[_T]) -> _T:
        return await asyncio.wait_for(request, _REQUEST_TIMEOUT_S)


def _contracts(details: list[ib.ContractDetails]) -> list[Contract]:
    return [contract_from_ib(detail.contract) for detail in details if detail.contract is not None]


def _query(contract: Contract) -> ib.Contract:
    return ib.Contract(
        conId=contract.con_id,
        symbol=contract.symbol,
        secType=contract.sec_type.value,
        exchange=contract.exchange,
        currency=contract.currency,
    )


def _completed_message(trade: ib.Trade) -> OpenOrderMessage:
    return open_order_message(trade.order, ib.OrderState(status=trade.orderStatus.status), completed=True)
