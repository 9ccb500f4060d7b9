"""The metrics page: read from the record, from what the desk last said, from Redis and from the host."""

from __future__ import annotations

from htbot.services.metrics.page import SystemMetrics

__all__ = ["SystemMetrics"]
