"""Versions of the schema, one chain for SQLite and PostgreSQL."""

HEAD = "0009"
"""The version that this code needs; kept here so that a start need not load Alembic to compare."""
