"""Logs as JSON lines with masked secrets, and the metrics registry."""
