"""The record of changes, to read."""
