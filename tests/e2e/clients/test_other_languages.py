"""Official clients for Node.js at a gateway: what they do, and what they raise when a call fails."""

import pytest

from tests.e2e.clients.checks import FEATURE_NAMES, SITUATIONS, check_feature, check_refusal, clients, result
from tests.e2e.clients.expectations import CLIENTS

__all__ = ["result"]

# The first run in a checkout fetches the clients' packages, and compiles.
pytestmark = pytest.mark.timeout(900)
LANGUAGES = ("node",)


@clients(*LANGUAGES)
@pytest.mark.parametrize("feature", FEATURE_NAMES)
def test_a_client_does_what_it_offers(result, language, name, feature):
    """Unmodified, with the URL and the key alone."""
    check_feature(result(language, name, feature), feature)


@clients(*LANGUAGES)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_refusal_is_the_clients_own_exception(result, language, name, situation):
    """Of its type for the status, with the gateway's words, the vendor's word and the id of the request."""
    client = CLIENTS[language][name]
    if situation == "unknown model" and not client.retrieves:
        pytest.skip("the client has no call for one model")
    check_refusal(result(language, name, situation), client, situation)


@clients(*LANGUAGES)
def test_a_stream_that_breaks_off_is_raised(result, language, name):
    """A client that has half of a text tells so in the gateway's words."""
    assert "the provider broke off its answer" in result(language, name, "broken stream")["raised"]["message"]
