"""Endpoints, one module per kind: open ones, reads, trading, control, documentation."""
