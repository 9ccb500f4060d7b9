"""What the session tells, in order of arrival."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from htbot.adapters.ib.wrapper import SessionMessage
from htbot.marketdata.messages import QuoteMessage


class Inbox(asyncio.Queue[SessionMessage]):
    """A queue, and somebody who may listen: quotes that nothing waits before are heard as they come.

    From the queue they would be heard a turn of the event loop later, when a database thread may have the interpreter.
    """

    listener: Callable[[QuoteMessage], None] | None = None

    def tell(self, message: SessionMessage) -> None:
        """One message of the session."""
        if self.listener is not None and isinstance(message, QuoteMessage) and self.empty():
            self.listener(message)
        else:
            self.put_nowait(message)
