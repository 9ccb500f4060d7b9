"""Backtests: the engine and the rules of live trading over a data file or the synthetic market, in memory."""
