"""Fixtures every test may ask for."""

from hypothesis import settings

from ingate.logs import configure
from tests.support.postgres import postgres_server, postgres_url

# As a process logs. The default of structlog shows the values of variables in tracebacks, credentials among them.
configure("debug", "json")

__all__ = ["postgres_server", "postgres_url"]

# The same examples in every run, and no deadline: how long one takes says how busy the machine is.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
