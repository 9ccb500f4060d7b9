"""WebSockets: what happens, as it happens. The token comes as the first message, role viewer."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from htbot.api.parts import ApiParts
from htbot.api.streams.session import TERMS, House, Porch, StreamSession, Terms
from htbot.services.board.board import Topic

OWN_ADDRESS = (Topic.HEALTH, Topic.PRICES, Topic.SIGNALS, Topic.PORTFOLIO)
"""Channels that can be followed at an address of their own."""


def make_router(parts: ApiParts, terms: Terms = TERMS) -> APIRouter:
    """`/ws` for any channels, and one address for each of the usual ones."""
    router = APIRouter()
    house = House(parts.feed.board, parts.doorman, Porch(terms.most_waiting), terms)

    def follow(path: str, channels: tuple[Topic, ...], *, chooses: bool) -> None:
        async def serve(socket: WebSocket) -> None:
            await StreamSession(socket, house, channels, chooses=chooses).serve()

        router.add_api_websocket_route(path, serve, name=path)

    follow("/ws", (), chooses=True)
    for topic in OWN_ADDRESS:
        follow(f"/ws/{topic}", (topic,), chooses=False)
    return router
