"""The body of a backtest."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import Field, StringConstraints

from htbot.api.schemas.requests import Request, shown
from htbot.api.schemas.strategies import Settings, Symbol, TypeName
from htbot.bootstrap.backtest_job import BacktestOrder
from htbot.domain.errors import CallerMistake

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]


class BacktestBody(Request):
    """A strategy over files of the data folder, or without any over the synthetic market; days are New York's."""

    model_config = shown(
        strategy="ma_crossover",
        symbol="SPY",
        data=["spy_5m_2022.parquet"],
        start="2022-03-01",
        end="2022-08-26",
        cash="100000",
        settings={"short_window": 5, "long_window": 20},
    )

    strategy: TypeName
    symbol: Symbol
    data: Annotated[list[FileName], Field(max_length=16)] = Field(default_factory=list)
    start: date | None = None
    end: date | None = None
    cash: Annotated[Decimal, Field(gt=0, le=10**12, allow_inf_nan=False)] = Decimal(100_000)
    settings: Settings = Field(default_factory=dict)

    def order(self) -> BacktestOrder:
        """As it is run; a setting that is null has its default.

        Raises:
            CallerMistake: it ends before it starts.
        """
        if self.start is not None and self.end is not None and self.end < self.start:
            raise CallerMistake(f"end {self.end} is before start {self.start}")
        given = {name: str(value) for name, value in self.settings.items() if value is not None}
        return BacktestOrder(
            self.strategy,
            self.symbol.upper(),
            tuple(self.data),
            start=self.start,
            end=self.end,
            cash=self.cash,
            settings=given,
        )
