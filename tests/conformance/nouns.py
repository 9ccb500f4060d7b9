"""Contracts and orders that the checks ask for."""

from __future__ import annotations

from typing import Any

from .client import Client


def stock(client: Client, symbol: str = "SPY", **more: Any) -> Any:
    return client.make(
        "Contract", **{"symbol": symbol, "secType": "STK", "exchange": "SMART", "currency": "USD", **more}
    )


def index(client: Client, symbol: str = "SPX") -> Any:
    return client.make("Contract", symbol=symbol, secType="IND", exchange="CBOE", currency="USD")


def forex(client: Client, symbol: str = "EUR", currency: str = "USD") -> Any:
    return client.make("Contract", symbol=symbol, secType="CASH", exchange="IDEALPRO", currency=currency)


def crypto(client: Client, symbol: str = "BTC") -> Any:
    return client.make("Contract", symbol=symbol, secType="CRYPTO", exchange="PAXOS", currency="USD")


def front_future(client: Client, symbol: str = "ES", exchange: str = "CME") -> Any:
    return client.make("Contract", symbol=symbol, secType="CONTFUT", exchange=exchange, currency="USD")


def future(client: Client, symbol: str = "ES", exchange: str = "CME") -> Any:
    """The nearest expiry, as contract details give it."""
    asked = client.make("Contract", symbol=symbol, secType="FUT", exchange=exchange, currency="USD")
    rows = [
        row[0].contract
        for row in client.request("reqContractDetails", asked, until="contractDetailsEnd").of("contractDetails")
    ]
    assert rows, f"no futures of {symbol}"
    return min(rows, key=lambda row: row.lastTradeDateOrContractMonth)


def chain(client: Client, symbol: str = "SPY") -> tuple[list[str], list[float]]:
    """Expirations and strikes of the underlying's chain with most strikes, both in order."""
    under = stock(client, symbol) if symbol != "SPX" else index(client)
    details = client.request("reqContractDetails", under, until="contractDetailsEnd").of("contractDetails")[0][0]
    kind = details.contract.secType
    got = client.request(
        "reqSecDefOptParams", symbol, "", kind, details.contract.conId, until="securityDefinitionOptionParameterEnd"
    )
    rows = got.of("securityDefinitionOptionParameter")
    row = max(rows, key=lambda row: len(row[5]))
    return sorted(row[4]), sorted(row[5])


def price(client: Client, contract: Any) -> float:
    """Last or mid of a snapshot."""
    got = client.request("reqMktData", contract, "", True, False, [], until="tickSnapshotEnd")
    ticks = {row[0]: row[1] for row in got.of("tickPrice")}
    return float(ticks.get(4) or (ticks[1] + ticks[2]) / 2)


def option(client: Client, away: float = 0.0, right: str = "P", symbol: str = "SPY", nth: int = 1) -> Any:
    """An option of the nth expiry, its strike `away` from the money as a part of the price; qualified."""
    expirations, strikes = chain(client, symbol)
    under = stock(client, symbol) if symbol != "SPX" else index(client)
    wanted = price(client, under) * (1 + away)
    for strike in sorted(strikes, key=lambda value: abs(value - wanted))[:8]:
        asked = client.make(
            "Contract", symbol=symbol, secType="OPT", exchange="SMART", currency="USD",
            lastTradeDateOrContractMonth=expirations[nth], strike=strike, right=right,
        )  # fmt: skip
        rows = client.request("reqContractDetails", asked, until="contractDetailsEnd").of("contractDetails")
        if rows:
            return rows[0][0].contract
    raise AssertionError(f"no option of {symbol} near {wanted:.2f}")


def order(client: Client, action: str, quantity: float, kind: str = "MKT", **more: Any) -> Any:
    """An order without the flags that 9.81 sets and IB no longer takes."""
    values: dict[str, Any] = {"action": action, "totalQuantity": quantity, "orderType": kind, **more}
    return client.make("Order", **{"eTradeOnly": False, "firmQuoteOnly": False, **values})


def bag(client: Client, *legs: tuple[int, str], symbol: str = "SPY") -> Any:
    made = [client.make("ComboLeg", conId=con_id, ratio=1, action=action, exchange="SMART") for con_id, action in legs]
    return client.make("Contract", symbol=symbol, secType="BAG", exchange="SMART", currency="USD", comboLegs=made)
