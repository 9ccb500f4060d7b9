"""What other currencies are worth in USD, from the world's own forex quotes."""

from __future__ import annotations

from decimal import Decimal

from htbot.domain.instruments import SecType
from htbot.market.ports import ContractQuery
from htbot.paper.accounts.bookings import BASE_CURRENCY
from htbot.paper.prices import Prices

_ONE = Decimal(1)


class Rates:
    """Exchange rates at the present instant; a rate that was known once holds until there is a new one."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._pairs: dict[str, tuple[int, bool] | None] = {}
        self._last: dict[str, Decimal] = {}

    def usd(self, currency: str) -> Decimal | None:
        """USD for one unit of a currency; None while the world has never quoted a pair of the two."""
        if currency == BASE_CURRENCY:
            return _ONE
        if currency not in self._pairs:
            self._pairs[currency] = self._pair(currency)
        pair = self._pairs[currency]
        if pair is not None:
            con_id, quoted_in_usd = pair
            price = self._prices.mark(con_id)
            if price:
                self._last[currency] = price if quoted_in_usd else _ONE / price
        return self._last.get(currency)

    def in_usd(self, currency: str, amount: Decimal) -> Decimal:
        """An amount in USD; without a rate it counts nothing, as its worth is unknown."""
        if currency == BASE_CURRENCY or not amount:
            return amount
        rate = self.usd(currency)
        return Decimal(0) if rate is None else amount * rate

    def _pair(self, currency: str) -> tuple[int, bool] | None:
        """The contract that quotes the two, and whether its price is in USD."""
        for symbol, quoted in ((currency, BASE_CURRENCY), (BASE_CURRENCY, currency)):
            query = ContractQuery(symbol=symbol, sec_type=SecType.FOREX.value, currency=quoted)
            found = self._prices.market.details(query, self._prices.at)
            fitting = [item for item in found if item.contract.currency == quoted]
            if fitting:
                return fitting[0].contract.con_id, quoted == BASE_CURRENCY
        return None
