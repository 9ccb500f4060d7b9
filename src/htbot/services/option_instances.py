"""Instances of strategies on options: what the record says, made into strategies and into what the desk must quote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session as Transaction

from htbot.domain.errors import CallerMistake, HtbotError
from htbot.domain.windows import TradingHours
from htbot.persistence.records import StrategyInstance
from htbot.persistence.repositories import StrategyRepository
from htbot.strategies.base import Strategy
from htbot.strategies.registry import create

SYMBOL = "symbol"


@dataclass(frozen=True, slots=True)
class ChainPlan:
    """What an instance asks of the desk: the underlying with its bars, and how far out options are quoted, and when."""

    symbol: str
    minutes: int
    strikes_out: int
    hours: TradingHours


def spread_strategy(instance: StrategyInstance) -> Strategy[Any]:
    """The strategy of an instance, under its own name.

    Raises:
        NotFound, CallerMistake, ConfigurationError: its type or a setting is not known any more, or does not fit.
    """
    return create(instance.type, with_symbol(instance.settings, instance.symbol), instance=instance.name)


def with_symbol(settings: Mapping[str, object], symbol: str) -> dict[str, object]:
    """The settings of a strategy on options: an instance's symbol is one of them.

    Raises:
        CallerMistake: the symbol is also given as a setting.
    """
    if SYMBOL in settings:
        raise CallerMistake(f"symbol={settings[SYMBOL]} is no setting of an instance: it has {symbol}")
    return {**settings, SYMBOL: symbol}


def chain_plans(transaction: Transaction) -> tuple[ChainPlan, ...]:
    """What enabled instances need, and those that hold something, in the order of their names.

    One that cannot be made is left out: whoever asks it tells why.
    """
    plans = []
    for instance in StrategyRepository(transaction).on_options(holding=True):
        try:
            strategy = spread_strategy(instance)
        except HtbotError:
            continue
        needs = strategy.needs
        plans.append(ChainPlan(needs.symbol, needs.bar_minutes, needs.strikes_out, strategy.hours))
    return tuple(plans)
