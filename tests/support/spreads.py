"""A bull put spread on SPX, its quotes, signal, trade and fills, for tests of risk, execution, portfolio and alerts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from htbot.domain.fills import Fill
from htbot.domain.instruments import Right
from htbot.domain.orders import Action, OrderIntent, PriceStyle, Purpose
from htbot.domain.quotes import Quote
from htbot.domain.sessions import Session
from htbot.domain.signals import Direction, Signal, SpreadLeg, SpreadPlan
from htbot.domain.trades import ExitRules, Trade, TradeState
from htbot.portfolio.marks import Marks, mark_spread

DAY = date(2022, 8, 26)
SESSION = Session(DAY, datetime(2022, 8, 26, 13, 30, tzinfo=UTC), datetime(2022, 8, 26, 20, 0, tzinfo=UTC))
AS_OF = datetime(2022, 8, 26, 14, 32, 30, tzinfo=UTC)
ACCOUNT = "DU100001"

SHORT = SpreadLeg(con_id=11, symbol="SPX", expiry=DAY, strike=Decimal(4150), right=Right.PUT, ratio=-1)
LONG = SpreadLeg(con_id=12, symbol="SPX", expiry=DAY, strike=Decimal(4110), right=Right.PUT, ratio=1)
LEGS = (LONG, SHORT)

RULES = ExitRules(
    profit_target_usd=Decimal(400),
    stop_loss_usd=Decimal(200),
    exit_at=SESSION.at(15, 0),
    flat_deadline=SESSION.at(15, 45),
)


def quote(con_id: int, bid: float | None, ask: float | None, at: datetime = AS_OF, size: float = 10.0) -> Quote:
    return Quote(con_id, at, bid, ask, bid_size=size if bid and bid > 0 else 0.0, ask_size=size)


Sides = tuple[float | None, float | None]


def quotes(short: Sides, long: Sides, at: datetime = AS_OF) -> dict[int, Quote]:
    return {SHORT.con_id: quote(SHORT.con_id, *short, at), LONG.con_id: quote(LONG.con_id, *long, at)}


def marks_at(cost: str, at: datetime = AS_OF, half_width: str = "0.10") -> Marks:
    """Marks whose mid closing cost is `cost` and whose natural one is `half_width` above it."""
    middle, half = float(cost) + 2.0, float(half_width) / 2
    short = (round(middle - half, 2), round(middle + half, 2))
    return mark_spread(LEGS, quotes(short, (round(2.0 - half, 2), round(2.0 + half, 2)), at), at)


def signal(direction: Direction = Direction.BULL, level: float = 4190.5) -> Signal:
    return Signal(
        strategy="spx_breakout",
        account=ACCOUNT,
        symbol="SPX",
        session=DAY,
        as_of=AS_OF,
        direction=direction,
        level=level,
        price=4191.25,
        trend=1,
        reason="the open bar's high 4191.25 is above the day's high 4190.50",
        levels={"high" if direction is Direction.BULL else "low": level},
        indicators={"rsi_ema": 52.31},
    )


def plan(quantity: int = 1, mid: str = "5.00", natural: str = "4.80") -> SpreadPlan:
    return SpreadPlan("SPX", LEGS, quantity, Decimal(40), Decimal(mid), Decimal(natural), Decimal("0.05"))


def trade(credit: str | None = "4.20", quantity: int = 1, rules: ExitRules = RULES) -> Trade:
    return Trade(
        id="spx_breakout-DU100001-20220826-1",
        strategy="spx_breakout",
        account=ACCOUNT,
        symbol="SPX",
        session=DAY,
        direction=Direction.BULL,
        state=TradeState.OPEN,
        legs=LEGS,
        quantity=quantity,
        width=Decimal(40),
        rules=rules,
        config_hash="abc123",
        opened_at=AS_OF,
        credit=None if credit is None else Decimal(credit),
    )


def intent(
    purpose: Purpose = Purpose.ENTRY,
    style: PriceStyle = PriceStyle.LADDER,
    limit: str = "-5.00",
    worst: str = "-4.00",
    tick: str = "0.05",
) -> OrderIntent:
    entry = purpose is Purpose.ENTRY
    return OrderIntent(
        ref=f"htbot-spx_breakout-{ACCOUNT}-20220826-{'E' if entry else 'X'}1",
        trade_id="spx_breakout-DU100001-20220826-1",
        strategy="spx_breakout",
        account=ACCOUNT,
        session=DAY,
        purpose=purpose,
        action=Action.BUY if entry else Action.SELL,
        symbol="SPX",
        quantity=1,
        legs=LEGS,
        limit=Decimal(limit),
        worst_limit=Decimal(worst),
        tick=Decimal(tick),
        style=style,
        created_at=AS_OF,
        good_till=AS_OF + timedelta(seconds=60) if entry else None,
    )


def fill(
    exec_id: str,
    leg: SpreadLeg,
    side: Action,
    price: str,
    quantity: int = 1,
    *,
    commission: str | None = "1.10",
    ref: str = f"htbot-spx_breakout-{ACCOUNT}-20220826-E1",
    seconds: float = 0.0,
) -> Fill:
    return Fill(
        exec_id=exec_id,
        ref=ref,
        account=ACCOUNT,
        con_id=leg.con_id,
        symbol=leg.symbol,
        expiry=leg.expiry,
        strike=leg.strike,
        right=leg.right,
        side=side,
        quantity=quantity,
        price=Decimal(price),
        multiplier=leg.multiplier,
        executed_at=AS_OF + timedelta(seconds=seconds),
        perm_id=900,
        commission=None if commission is None else Decimal(commission),
    )


def entry_fills() -> list[Fill]:
    """Credit 4.20: the 4150 put sold at 6.10, the 4110 put bought at 1.90."""
    return [fill("e1.01.01", SHORT, Action.SELL, "6.10"), fill("e2.01.01", LONG, Action.BUY, "1.90")]


def exit_fills(commission: str | None = "1.10") -> list[Fill]:
    """Debit 0.20: bought back at 0.25, sold at 0.05."""
    ref = f"htbot-spx_breakout-{ACCOUNT}-20220826-X1"
    return [
        fill("x1.01.01", SHORT, Action.BUY, "0.25", commission=commission, ref=ref, seconds=60),
        fill("x2.01.01", LONG, Action.SELL, "0.05", commission=commission, ref=ref, seconds=60),
    ]
