"""Backtests: tapes of bars, the event loop, the compiled loop, results."""
