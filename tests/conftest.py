"""Fixtures every test may ask for."""

import logging

from hypothesis import settings

from ingate.logs import configure
from tests.support.postgres import postgres_server, postgres_url

# As a process logs. The default of structlog shows the values of variables in tracebacks, credentials among them.
configure("debug", "json")
# What libraries log is not among the lines that tests capture, for stand-ins of the core are libraries' servers.
logging.getLogger().handlers.clear()

__all__ = ["postgres_server", "postgres_url"]

# The same examples in every run, and no deadline: how long one takes says how busy the machine is.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
