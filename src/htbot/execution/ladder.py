"""How the limit of an order walks (RULINGS 11 and 28).

An entry walks from the mid credit down to the natural credit, an exit from the mid cost up to the natural cost; the
last two attempts stand at natural, so that an order which the market ran away from has a second chance. An exit without
a mid whose natural cost is known stands there at once. Every step is taken on fresh quotes, lies on the combination's
tick grid and never passes the intent's `worst_limit`. Without quotes the last limit stands. Orders
of shares do not walk: their limit is the one that they were decided with. Time is market time (RULINGS 17); limits are
signed as IB: -4.20 on a BUY receives 4.20, on a SELL it pays 4.20 (RULINGS 32).
One option walks as a combination of one leg, whose credit is below 0: its entry from mid up to the ask of its decision,
its exit from mid down to the bid. Where its own grid is coarser than that of combinations, its price is rounded down.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from htbot.domain.instruments import UNDERLYINGS
from htbot.domain.orders import WALKING, OrderIntent, PriceStyle, Purpose
from htbot.execution import ticks
from htbot.portfolio.marks import Marks

TIME_BUDGET_S = 60.0
URGENT_STEP_S = 3.0
URGENT_FIRST_TICKS = 1
URGENT_STEP_TICKS = 2


@dataclass(frozen=True, slots=True)
class LadderPace:
    """Length and number of the steps from mid to natural (spec 02 section 4: 10 attempts of 5 s)."""

    step_s: float = 5.0
    attempts: int = 10

    def __post_init__(self) -> None:
        if self.step_s <= 0 or self.attempts < 1:
            raise ValueError(f"a ladder needs attempts >= 1 and step_s > 0, not {self.attempts} and {self.step_s:g}")

    @property
    def budget_s(self) -> float:
        """Market time from the first limit until the last attempt is over."""
        return self.step_s * self.attempts

    @property
    def steps_to_natural(self) -> int:
        """Steps after which the limit stands at natural: one attempt before the last where there are enough."""
        return max(self.attempts - 2, min(self.attempts - 1, 1))


DEFAULT_PACE = LadderPace()


def limit_at(
    intent: OrderIntent,
    marks: Marks | None,
    elapsed_s: float,
    current: Decimal | None,
    pace: LadderPace = DEFAULT_PACE,
    style: PriceStyle | None = None,
) -> Decimal | None:
    """The limit that the order should have `elapsed_s` after its first one.

    Args:
        intent: what is worked; its `tick` and `worst_limit` bound every price.
        marks: the legs' present prices; a side that is unknown keeps the last limit.
        elapsed_s: market time since the order was sent.
        current: the limit that stands at the broker, None before the first.
        pace: the walk's steps.
        style: another style than the intent's, for an exit that has become urgent on its way.

    Returns:
        A signed limit. None only for an entry that has no price to start from: then nothing is sent.
    """
    if intent.style not in WALKING:
        return intent.limit if current is None else current
    if intent.purpose is Purpose.ENTRY:
        limit = _entry_limit(intent, marks, elapsed_s, current, pace)
    else:
        limit = -_exit_cost(intent, marks, (elapsed_s, style or intent.style), current, pace)
    return limit if limit is None or len(intent.legs) > 1 else on_option_grid(intent.symbol, limit)


def on_option_grid(symbol: str, price: Decimal) -> Decimal:
    """A price of one option on its grid: rounded down, so that less is paid, and what is sold is sold."""
    underlying = UNDERLYINGS.get(symbol)
    return price if underlying is None else ticks.down(price, underlying.option_tick(price))


def next_change_s(
    intent: OrderIntent, elapsed_s: float, pace: LadderPace = DEFAULT_PACE, style: PriceStyle | None = None
) -> float | None:
    """Market time since the first limit at which `limit_at` is asked next; None when an entry's walk is over.

    What does not walk is never asked.

    An exit is asked until it is done: at natural it is re-quoted with every step.
    """
    if intent.style not in WALKING:
        return None
    urgent = intent.purpose is Purpose.EXIT and (style or intent.style) is PriceStyle.URGENT
    step_s = URGENT_STEP_S if urgent else pace.step_s
    following = (int(elapsed_s // step_s) + 1) * step_s
    if intent.purpose is Purpose.ENTRY and following >= pace.budget_s:
        return None
    return following


def _entry_limit(
    intent: OrderIntent, marks: Marks | None, elapsed_s: float, current: Decimal | None, pace: LadderPace
) -> Decimal | None:
    if marks is None or marks.mid_credit is None or marks.natural_credit is None:
        return current
    tick, floor = intent.tick, -intent.worst_limit
    start = ticks.up(marks.mid_credit, tick)
    if floor < 0:
        start = min(start, -tick)  # what is bought costs a tick at least
    natural = min(ticks.down(marks.natural_credit, tick), start)
    credit = start - _walked(ticks.between(natural, start, tick), elapsed_s, pace.step_s, pace.steps_to_natural) * tick
    return -max(credit, floor)


def _exit_cost(
    intent: OrderIntent,
    marks: Marks | None,
    progress: tuple[float, PriceStyle],
    current: Decimal | None,
    pace: LadderPace,
) -> Decimal:
    """What the exit is ready to pay, at most the worst; below 0 what it wants for a bought option."""
    elapsed_s, style = progress
    tick, worst = intent.tick, -intent.worst_limit
    most = None if marks is None else marks.cost_at_most
    if style is PriceStyle.URGENT and most is not None:
        steps = int(elapsed_s // URGENT_STEP_S)
        cost = ticks.up(most, tick) + (URGENT_FIRST_TICKS + URGENT_STEP_TICKS * steps) * tick
    elif marks is None or marks.natural_cost is None:
        return -(intent.limit if current is None else current)
    else:
        natural = ticks.up(marks.natural_cost, tick)
        start = natural if marks.mid_cost is None else min(ticks.down(marks.mid_cost, tick), natural)
        steps = pace.steps_to_natural
        if style is PriceStyle.TIME:
            steps = min(steps, int(TIME_BUDGET_S // pace.step_s))
        cost = start + _walked(ticks.between(start, natural, tick), elapsed_s, pace.step_s, steps) * tick
    return ticks.bounded_cost(cost, tick, worst)


def _walked(distance: int, elapsed_s: float, step_s: float, steps: int) -> int:
    """Ticks walked after `elapsed_s` of a way of `distance` ticks in `steps` steps, rounded towards the goal."""
    if steps == 0:
        return distance
    done = min(int(elapsed_s // step_s), steps)
    return -(-distance * done // steps)
