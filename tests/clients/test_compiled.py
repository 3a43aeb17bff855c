"""Official clients for Go and Java at a gateway. `make clients` compiles and runs them, `make test` does not."""

import pytest

from tests.e2e.clients.checks import *  # noqa: F403 -- the tests, and what they ask for

LANGUAGES = ("go", "java")
pytestmark = pytest.mark.timeout(1800)
