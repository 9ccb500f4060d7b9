from __future__ import annotations

from datetime import UTC, datetime

from htbot.desk.inbox import Inbox
from htbot.marketdata.messages import QuoteMessage, TimeMessage

QUOTE = QuoteMessage(frozenset({7}))
TIME = TimeMessage(datetime(2026, 3, 4, 15, tzinfo=UTC))


def listening() -> tuple[Inbox, list[QuoteMessage]]:
    inbox, heard = Inbox(), []
    inbox.listener = heard.append
    return inbox, heard


async def test_a_quote_that_nothing_waits_before_is_heard_as_it_comes() -> None:
    inbox, heard = listening()
    inbox.tell(QUOTE)
    assert heard == [QUOTE]
    assert inbox.empty()


async def test_everything_else_waits_and_a_quote_waits_behind_it() -> None:
    inbox, heard = listening()
    inbox.tell(TIME)
    inbox.tell(QUOTE)
    assert heard == []
    assert [inbox.get_nowait(), inbox.get_nowait()] == [TIME, QUOTE]
    inbox.tell(QUOTE)
    assert heard == [QUOTE]


async def test_without_anybody_who_listens_quotes_wait() -> None:
    inbox = Inbox()
    inbox.tell(QUOTE)
    assert inbox.get_nowait() == QUOTE
