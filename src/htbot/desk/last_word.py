"""What keeps an order from the socket at the last moment, when the claim is committed already.

What stands for the same trade comes first, then the last look: closes of one trade never add up to more than it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from htbot.desk.live_order import LiveOrder
from htbot.desk.order_parts import OrderParts
from htbot.domain.orders import OrderIntent, Purpose


def why_it_stays(parts: OrderParts, of_trade: Iterable[LiveOrder], intent: OrderIntent, now: datetime) -> str | None:
    """Why an intent does not leave, given the live orders of its trade; None: it does."""
    if intent.purpose is Purpose.ENTRY:
        return parts.last_look.at_entry(intent, now)
    if rests(parts, intent.trade_id, now):
        return "the market is closed: it leaves when that opens"
    working = [live for live in of_trade if not live.is_entry]
    if working and all(live.protective for live in working):
        return "what stands at the broker for this trade is cancelled first, then it is closed"
    if working:
        return f"{working[0].intent.ref} closes it already"
    return parts.last_look.at_exit(intent, intent.quantity)


def rests(parts: OrderParts, trade_id: str, now: datetime) -> bool:
    """Whether a trade is held over night and the market is closed: no price of those hours decides, a wish waits."""
    held = parts.book.get(trade_id)
    return held is not None and held.trade.rules.overnight and not parts.market_open(now)


def would_open(parts: OrderParts, live: LiveOrder) -> str | None:
    """Why a close that was never seen may not go out again: it would open something by now.

    A protective order does not either while its trade is being closed by something else.
    """
    held = parts.book.get(live.intent.trade_id)
    if live.protective and (held is None or held.leaving):
        return "its trade is closed by something else"
    return parts.last_look.at_exit(live.intent, live.size)
