"""Whether books and broker agree, look after look, and what stands in the way: each account by itself."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from htbot.desk.orders import OrderDesk
from htbot.desk.recovery import Look, Recovery
from htbot.execution.disagreement import Judgement, Standing, Verdict

DISAGREE = "books and broker disagree"


class Agreement:
    """Remembers how long differences have stood; the judgements are those of the last look, by account.

    In accounts that are `left` trades are only ended.
    """

    def __init__(self, left: Callable[[], Collection[str]]) -> None:
        self._left = left
        self._standings: dict[str, Standing] = {}
        self._judgements: dict[str, Judgement] = {}

    @property
    def watching(self) -> bool:
        """True while a difference may still be a fill under way."""
        return any(judgement.verdict is Verdict.WATCH for judgement in self._judgements.values())

    @property
    def trouble(self) -> str | None:
        """Where books and broker disagree, None where they do not."""
        found = [account for account in self._judgements if self.differs(account)]
        return f"{DISAGREE} in {', '.join(found)}" if found else None

    def differs(self, account: str) -> bool:
        """True from the moment that a difference in an account counts: no entry of it leaves."""
        judgement = self._judgements.get(account)
        return judgement is not None and not judgement.entries_allowed

    def enters(self, account: str) -> bool:
        """True where entries may leave: the account is traded, and its books agree."""
        return account not in self._left() and not self.differs(account)

    def blocked(self, account: str, symbol: str) -> str | None:
        """Why nothing may be entered: the account is not traded, its books differ, or a symbol's holding is not ours.

        The last is FAULTS 39.
        """
        judgement = self._judgements.get(account)
        if judgement is None or account in self._left():
            return f"account {account} is not traded here"
        return judgement.blocked.get(symbol) if judgement.entries_allowed else f"{DISAGREE} in {account}"

    async def reached(
        self, recovery: Recovery, orders: OrderDesk, now: datetime, look: Look
    ) -> tuple[bool, str | None]:
        """Look up, compare and judge; whether both agree, and why not. No reason: what stood before still stands.

        One account that agrees is enough: the others are `blocked`.

        Raises:
            Retryable: the record is away; what is in doubt has been looked up all the same.
        """
        view = await recovery.look_up(now)
        if not orders.doubtful:
            await recovery.caught_up()  # it may bring what was claimed as the session before ended
        if doubtful := orders.doubtful:
            return False, f"in doubt: {', '.join(live.intent.ref for live in doubtful)}"
        judged = await recovery.judge(view, self._standings, now, look)
        self._judgements = {account: judgement for account, (judgement, _after) in judged.items()}
        self._standings = {account: after for account, (_judgement, after) in judged.items()}
        if all(self.differs(account) for account in self._judgements):
            return False, DISAGREE
        return not self.watching, None
