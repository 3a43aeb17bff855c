"""Official clients for Node.js at a gateway: what they do, and what they raise when a call fails."""

import pytest

from tests.e2e.clients.checks import *  # noqa: F403 -- the tests, and what they ask for

LANGUAGES = ("node",)
# The first run in a checkout fetches the clients' packages.
pytestmark = pytest.mark.timeout(900)
