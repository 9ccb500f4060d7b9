"""How much of the record a strategy's state is folded from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session as Transaction

from htbot.domain.sessions import SESSION_MINUTES
from htbot.engine.recorded_bars import HISTORY_BARS
from htbot.marketdata.tape_bars import ClosedBar
from htbot.persistence.records import StrategyInstance
from htbot.persistence.repositories import ClosedBarRepository, HistoryNeed


def steps(instance: StrategyInstance, as_of: datetime) -> int:
    """About how many bars a state is folded from: those of the time since its first one, 390 minutes a day."""
    wanted = max(HISTORY_BARS, instance.warm_up_bars)
    if instance.observed is None:
        return wanted
    days = (as_of - instance.observed.first_bar).days + 1
    return max(wanted, days * SESSION_MINUTES // instance.minutes * 5 // 7)


def histories(
    transaction: Transaction, world_id: str, as_of: datetime, instances: Sequence[StrategyInstance]
) -> dict[tuple[str, int], list[ClosedBar]]:
    """The bars of each series that its instances need, in one read: the last so many, or all since a first one."""
    needs: dict[tuple[str, int], HistoryNeed] = {}
    for one in instances:
        key = (one.symbol, one.minutes)
        since: datetime | None = None
        most: int | None = max(HISTORY_BARS, one.warm_up_bars)
        if one.observed is not None and one.observed.world_id == world_id:
            since, most = one.observed.first_bar, None
        known = needs.get(key)
        if known is not None:
            since, most = _wider(known, since, most)
        needs[key] = HistoryNeed(one.symbol, one.minutes, since, most)
    return ClosedBarRepository(transaction).history(world_id, list(needs.values()), as_of)


def _wider(known: HistoryNeed, since: datetime | None, most: int | None) -> tuple[datetime | None, int | None]:
    """What serves both: for a first bar and a number of last ones that is everything."""
    if known.since is None and since is None:
        return None, None if known.most is None or most is None else max(known.most, most)
    if known.since is None or since is None:
        return None, None
    return min(known.since, since), None
