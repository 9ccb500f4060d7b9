"""What is asked most: answered from the picture that this process keeps, with PostgreSQL up or down. Role viewer.

Plain questions are answered before they come here, by `htbot.api.short_way`. This is for those with parameters, for
what is refused, and for the reference.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from htbot.api.auth import require
from htbot.api.parts import Chosen, Parts
from htbot.api.short_way import headers_of
from htbot.persistence.queries.shapes import PositionView
from htbot.services.board.feed import Answer
from htbot.services.status_view import StatusView
from htbot.services.tokens import Role

router = APIRouter(tags=["reads"], dependencies=[Depends(require(Role.VIEWER))])


def _response(answer: Answer) -> Response:
    response = Response(answer.body)
    response.raw_headers = headers_of(answer)
    return response


@router.get("/status", summary="State of the whole system", response_model=StatusView)
async def status(parts: Parts) -> Response:
    """Mode, market time, connection, halts, strategies, open trade, tasks; `age_s` says how old the record's part is.

    It is answered with PostgreSQL down as well, and grows older then.
    """
    await parts.feed.ready()
    return _response(parts.feed.status())


@router.get("/positions", summary="What is held; a flat book is []", response_model=list[PositionView])
async def positions(parts: Parts, chosen: Chosen) -> Any:
    """Positions with their marks. Of the traded account with PostgreSQL down as well; header `X-Age-S` is their age."""
    await parts.feed.ready()
    if chosen.account in {None, parts.feed.account}:
        return _response(parts.feed.positions())
    return await run_in_threadpool(parts.queries.positions, chosen.account)
