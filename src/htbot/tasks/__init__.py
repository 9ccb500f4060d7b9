"""Celery: a task parses its message, calls a service in one transaction, and returns. It holds no broker connection."""
