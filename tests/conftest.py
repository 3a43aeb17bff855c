"""Fixtures every test may ask for."""

from hypothesis import settings

from tests.support.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

# The same examples in every run, and no deadline: how long one takes says how busy the machine is.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
