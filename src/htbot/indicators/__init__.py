"""Indicators: `stream` is incremental and what strategies use, `batch` is its twin over whole series."""
