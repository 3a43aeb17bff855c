"""Fixtures every test may ask for."""

import gc
import logging

import pytest
import structlog
from hypothesis import settings

from ingate.logs import configure
from tests.support.postgres import postgres_server, postgres_url


def _log_as_a_process():
    """Configures logging as processes do: structlog's default shows the values of variables in tracebacks.

    What libraries log is not among the lines that tests capture, for stand-ins of the core are libraries' servers.
    """
    configure("debug", "json")
    logging.getLogger().handlers.clear()
    return structlog.get_config()["processors"]


_processors = _log_as_a_process()


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Keeps the garbage collector from going through what collection makes, which all stays to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def _same_logs_for_each_test():
    """Puts logging back where a test has run a command, which configures it."""
    global _processors  # noqa: PLW0603 -- there is one configuration in a process
    yield
    if structlog.get_config()["processors"] is not _processors:
        _processors = _log_as_a_process()


__all__ = ["postgres_server", "postgres_url"]

# The same examples in every run, and no deadline: how long one takes says how busy the machine is.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
