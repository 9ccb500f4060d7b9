"""The one loop that live trading and backtests run: looks, signal, spread, risk, intent. Pure: nothing here does IO."""
