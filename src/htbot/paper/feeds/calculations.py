"""Implied volatility from a price, and a price from a volatility, for reqCalcImpliedVolatility and reqCalcOptionPrice.

Black's model on the underlying's price as the forward. The time to expiry is the one at which the world's own model
gives its price at its volatility, so that asking for the volatility of a model price gives the model's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from math import sqrt

from htbot.domain.instruments import Contract
from htbot.domain.quotes import Greeks
from htbot.domain.sessions import NEW_YORK
from htbot.pricing.black import implied_deviation, price, sensitivities
from htbot.pricing.realised import SESSIONS_PER_YEAR

_CLOSE = time(16)
_SECONDS_PER_YEAR = 365.0 * 86_400


@dataclass(frozen=True, slots=True)
class Terms:
    """An option at an instant; `years` to its expiry."""

    contract: Contract
    years: float

    @staticmethod
    def of(contract: Contract, at: datetime, model: Greeks | None) -> Terms | None:
        """The terms; None for anything that is no option or has expired."""
        if contract.strike is None or contract.right is None or contract.expiry is None:
            return None
        expires = datetime.combine(contract.expiry, _CLOSE, tzinfo=NEW_YORK)
        years = (expires - at).total_seconds() / _SECONDS_PER_YEAR
        if model is not None and model.implied_volatility > 0:
            strike, right = float(contract.strike), contract.right
            deviation = implied_deviation(right, model.price, model.underlying_price, strike)
            if deviation:
                years = (deviation / model.implied_volatility) ** 2
        return Terms(contract, years) if years > 0 else None

    def at_price(self, option_price: float, underlying: float) -> Greeks | None:
        """Greeks at the volatility that gives a price; None where none does."""
        if underlying <= 0 or self.contract.right is None or self.contract.strike is None:
            return None
        strike = float(self.contract.strike)
        deviation = implied_deviation(self.contract.right, option_price, underlying, strike)
        return self.at_volatility(deviation / sqrt(self.years), underlying) if deviation else None

    def at_volatility(self, volatility: float, underlying: float) -> Greeks | None:
        """Price and greeks at a volatility (0.2 = 20 %); None where the model has none."""
        contract = self.contract
        if underlying <= 0 or volatility <= 0 or contract.right is None or contract.strike is None:
            return None
        strike = float(contract.strike)
        raw = sensitivities(contract.right, underlying, strike, volatility, self.years)
        value = price(contract.right, underlying, strike, volatility * sqrt(self.years))
        theta = raw.theta / SESSIONS_PER_YEAR
        return Greeks(volatility, raw.delta, raw.gamma, raw.vega, theta, value, underlying)
