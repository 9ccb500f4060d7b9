"""Option prices: Black-76, greeks, implied volatility, the smile. Plain Python, no arrays."""
