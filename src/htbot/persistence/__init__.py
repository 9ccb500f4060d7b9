"""The record: PostgreSQL tables and the repositories that turn them into domain objects and back."""
