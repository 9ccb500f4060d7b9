"""Whether books and broker agree, look after look, and what stands in the way."""

from __future__ import annotations

from datetime import datetime

from htbot.desk.orders import OrderDesk
from htbot.desk.recovery import Look, Recovery
from htbot.execution.disagreement import Judgement, Standing, Verdict


class Agreement:
    """Remembers how long differences have stood; `judgement` is that of the last look."""

    def __init__(self) -> None:
        self._standing = Standing()
        self.judgement: Judgement | None = None

    @property
    def watching(self) -> bool:
        """True while a difference may still be a fill under way."""
        return self.judgement is not None and self.judgement.verdict is Verdict.WATCH

    def blocked(self, symbol: str) -> str | None:
        """Why nothing may be entered in a symbol: something in it is at the broker and is not ours (FAULTS 39)."""
        return None if self.judgement is None else self.judgement.blocked.get(symbol)

    async def reached(
        self, recovery: Recovery, orders: OrderDesk, now: datetime, look: Look
    ) -> tuple[bool, str | None]:
        """Look up, compare and judge; whether both agree, and why not. No reason: what stood before still stands."""
        view = await recovery.look_up(now)
        doubtful = orders.doubtful
        if doubtful:
            return False, f"in doubt: {', '.join(live.intent.ref for live in doubtful)}"
        self.judgement, self._standing = await recovery.judge(view, self._standing, now, look)
        if self.watching:
            return False, None
        return self.judgement.entries_allowed, "books and broker disagree"
