"""Prices: what the desk sees now, and what is stored."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from htbot.api.auth import require
from htbot.api.parts import Parts
from htbot.api.schemas.filters import HistoricalQuery, HistoryQuery, SpanQuery
from htbot.persistence.queries.prices import BarView, OhlcvView, PriceStats, SeriesView
from htbot.services.prices import DEFAULT_SPAN, HistoryRequest, QuoteView, SymbolView
from htbot.services.tokens import Role

router = APIRouter(tags=["prices"], dependencies=[Depends(require(Role.VIEWER))])
Symbol = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9. ]{0,15}$", description="symbol, as IB writes it")]


def _asked(symbol: str, span: SpanQuery) -> HistoryRequest:
    return HistoryRequest(symbol.upper(), span.minutes, span.start, span.end)


@router.get("/api/market-data/quote/{symbol}", summary="The price of a symbol now")
def quote(parts: Parts, symbol: Symbol) -> QuoteView:
    """The desk's last quote, or the close of the last stored bar; 409 while the desk is not connected."""
    return parts.prices.quote(symbol.upper())


@router.get("/api/market-data/quotes", summary="The prices of several symbols now")
def quotes(
    parts: Parts,
    symbols: Annotated[
        str | None,
        Query(pattern=r"^[A-Za-z0-9. ]{1,16}(,[A-Za-z0-9. ]{1,16}){0,99}$", description="with commas; default: all"),
    ] = None,
) -> list[QuoteView]:
    """404 when one that is named is not known."""
    named = None if symbols is None else [one.strip().upper() for one in symbols.split(",")]
    return parts.prices.quotes(named)


@router.get("/api/market-data/historical/{symbol}", summary="Stored bars, or the broker's own, newest first")
def historical(parts: Parts, symbol: Symbol, asked: Annotated[HistoricalQuery, Query()]) -> list[BarView]:
    """From the beginning of what is stored unless a start is given; the broker's of the underlying that trades."""
    if asked.source == "broker":
        return parts.prices.broker_history(symbol.upper(), asked.minutes or 5, asked.days)[: asked.limit]
    return parts.prices.history(_asked(symbol, asked), asked.limit)


@router.get("/api/market-data/search", summary="Symbols that are known")
def search(
    parts: Parts, q: Annotated[str, Query(pattern=r"^[A-Za-z0-9. ]{1,16}$", description="a part of the symbol")]
) -> list[SymbolView]:
    """Those that begin with it, hold it, or are like it; at most 20."""
    return parts.prices.search(q)


@router.get("/history/{symbol}", summary="Stored bars of the last 24 hours, newest first")
def history(parts: Parts, symbol: Symbol, asked: Annotated[HistoryQuery, Query()]) -> list[BarView]:
    """Of market time; `start` and `end` choose another span. `[]` where a known symbol has none."""
    return parts.prices.history(_asked(symbol, asked), asked.limit, DEFAULT_SPAN)


@router.get("/symbols", summary="What is stored, by symbol and length of the bars")
def symbols(parts: Parts) -> list[SeriesView]:
    """Counted at most a minute ago."""
    return parts.prices.series()


@router.get("/ohlcv/{symbol}", summary="A span as one bar")
def ohlcv(parts: Parts, symbol: Symbol, asked: Annotated[SpanQuery, Query()]) -> OhlcvView:
    """Of the last 24 hours of market time unless told otherwise."""
    return parts.prices.ohlcv(_asked(symbol, asked))


@router.get("/stats/{symbol}", summary="Figures of the closes of a span")
def stats(parts: Parts, symbol: Symbol, asked: Annotated[SpanQuery, Query()]) -> PriceStats:
    """Of the last 24 hours of market time unless told otherwise."""
    return parts.prices.stats(_asked(symbol, asked))
