"""The order book: what clients ask of their orders, how orders are held, looked at, filled, tied together and kept."""
