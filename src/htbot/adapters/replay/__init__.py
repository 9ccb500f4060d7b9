"""The one reader of recorded market data in Parquet and CSV."""

from __future__ import annotations

from htbot.adapters.replay.reader import parse_bar_length, read_market_data

__all__ = ["parse_bar_length", "read_market_data"]
