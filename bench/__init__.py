"""Measurements of the gateway beside a bare nginx in the same run. See README.md."""
