"""Organisations, their people, teams and applications."""
