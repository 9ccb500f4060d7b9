"""The desk: the process that owns the broker's session. Data in, orders out, exits guarded, the kill switch last."""
