"""Logs as JSON lines with masked secrets, and the metrics registry."""

from __future__ import annotations

from htbot.telemetry.logs import bind_context, clear_context, configure_logging, get_logger
from htbot.telemetry.masking import hide_secret, masked

__all__ = ["bind_context", "clear_context", "configure_logging", "get_logger", "hide_secret", "masked"]
