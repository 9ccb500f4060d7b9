"""What people can ask the desk for, in the words of the record."""

from __future__ import annotations

CLOSE_ALL = "close_all"
CLOSE_TRADE = "close_trade"
CLOSES = frozenset({CLOSE_ALL, CLOSE_TRADE})
CLOSE_TRADES = "close_trades"
"""Several at once, a command each: only the key and its answer are a row of this kind."""
CANCEL = "cancel"
SETTLE = "settle"
CONNECT, DISCONNECT = "connect", "disconnect"
SESSION_KINDS = frozenset({CONNECT, DISCONNECT})
HALT = "halt"
RESUME = "resume"
# A scope beside the accounts' own names.
EVERY_ACCOUNT = "all"
REDIS_SOURCE = "redis"
"""The source of a halt that was rung for in Redis."""
