"""What is asked most: answered from the picture that this process keeps, with PostgreSQL up or down. Role viewer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from htbot.api.auth import admit, require
from htbot.api.parts import ApiParts, Chosen, Parts
from htbot.persistence.queries.shapes import PositionView
from htbot.services.board.feed import Answer, Feed
from htbot.services.status_view import StatusView
from htbot.services.tokens import Role

_JSON = "application/json"


def _route_of(told: Callable[[Feed], Answer]) -> type[APIRoute]:
    """A route that answers plain questions by bytes that are there, past dependencies and models.

    Those cost twice as much as everything else together. A question with parameters goes the common way.
    """

    class BoardRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            common = super().get_route_handler()

            async def handle(request: Request) -> Response:
                if request.scope["query_string"]:
                    return await common(request)
                admit(request).require(Role.VIEWER)
                parts: ApiParts = request.app.state.parts
                await parts.feed.ready()
                return _response(told(parts.feed))

            return handle

    return BoardRoute


def _response(answer: Answer) -> Response:
    response = Response(answer.body, media_type=_JSON)
    response.raw_headers.append((b"x-age-s", b"%.1f" % answer.age_s))
    response.raw_headers.append((b"x-as-of", answer.as_of))
    return response


async def status(parts: Parts) -> Response:
    """Mode, market time, connection, halts, strategies, open trade, tasks; `age_s` says how old the record's part is.

    It is answered with PostgreSQL down as well, and grows older then.
    """
    await parts.feed.ready()
    return _response(parts.feed.status())


async def positions(parts: Parts, chosen: Chosen) -> Any:
    """Positions with their marks. Of the traded account with PostgreSQL down as well; header `X-Age-S` is their age."""
    await parts.feed.ready()
    if chosen.account in {None, parts.feed.account}:
        return _response(parts.feed.positions())
    return await run_in_threadpool(parts.queries.positions, chosen.account)


router = APIRouter(tags=["reads"], dependencies=[Depends(require(Role.VIEWER))])
router.add_api_route(
    "/status",
    status,
    summary="State of the whole system",
    response_model=StatusView,
    route_class_override=_route_of(Feed.status),
)
router.add_api_route(
    "/positions",
    positions,
    summary="What is held; a flat book is []",
    response_model=list[PositionView],
    route_class_override=_route_of(Feed.positions),
)
