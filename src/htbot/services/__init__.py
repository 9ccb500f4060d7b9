"""Queries and commands: the one facade that CLI, API, dashboard and tasks call."""
