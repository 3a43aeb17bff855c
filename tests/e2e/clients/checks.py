"""The tests of official clients in other languages: a table of clients by features and by the ways in which calls fail.

A test module imports all of it and names its `LANGUAGES`.
"""

import re

import pytest

from tests.e2e.clients.expectations import CLIENTS, WORDS
from tests.e2e.clients.programs import Missing
from tests.e2e.clients.results import results
from tests.e2e.clients.situations import FEATURES, PROVOKED, REASONS, TOLD
from tests.support.builds import run_directory

_HELLO = "Hello! I am Ingate's demo model."
_WELL = {
    "chat": lambda said: said.startswith(_HELLO),
    "stream": lambda said: said.startswith(_HELLO),
    "tools": lambda said: "fog in Oslo" in said and "fog in Paris" in said,
    "structured": lambda found: found == {"city": "demo", "days": 1},
}
_OWN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def pytest_generate_tests(metafunc):
    """Runs each test once for each client of the module's languages."""
    cells = [(language, name) for language in metafunc.module.LANGUAGES for name in CLIENTS[language]]
    metafunc.parametrize(("language", "name"), cells, ids=[" ".join(cell) for cell in cells])


@pytest.fixture(scope="session")
def result(tmp_path_factory):
    """A function: returns what a client of a language made of a situation. Skips where the language is missing."""
    found = {}

    def get(language, name, situation):
        if language not in found:
            found[language] = _outcome(language, run_directory(tmp_path_factory) / f"clients-{language}")
        if isinstance(found[language], Missing):
            pytest.skip(str(found[language]))
        if isinstance(found[language], Exception):
            raise found[language]
        return found[language][f"{name}: {situation}"]

    return get


def _outcome(language, directory):
    """Returns the results, or what kept them from being made: what has failed once is not tried for each test."""
    try:
        return results(language, directory)
    except Exception as error:  # noqa: BLE001 -- raised by each test that wants the results
        return error


@pytest.mark.parametrize("feature", FEATURES)
def test_a_client_does_what_it_offers(result, language, name, feature):
    """Unmodified, with the URL and the key alone."""
    found = result(language, name, feature)
    assert "raised" not in found, found
    assert _WELL[feature](found["said"])


@pytest.mark.parametrize("situation", [*PROVOKED, *REASONS])
def test_a_refusal_is_the_clients_own_exception(result, language, name, situation):
    """Of its type for the status, with the gateway's words, the vendor's word and the id of the request."""
    client = CLIENTS[language][name]
    if situation == "unknown model" and not client.retrieves:
        pytest.skip("the client has no call for one model")
    status, says = PROVOKED.get(situation) or (
        REASONS[situation],
        TOLD if situation != "INTERNAL" else "internal error",
    )
    raised = result(language, name, situation)["raised"]
    assert (raised["type"], raised["status"]) == (client.exception(status), status)
    assert says in raised["message"].replace('\\"', '"')
    assert "[object" not in raised["message"]
    if client.tells_id:
        assert _OWN_ID.fullmatch(raised["request_id"])
    word = WORDS.get(client.vendor, {}).get(status)
    if word is not None and raised.get("word"):
        assert raised["word"] == word


def test_a_stream_that_breaks_off_is_raised(result, language, name):
    """A client that has half of a text tells so in the gateway's words."""
    assert "the provider broke off its answer" in result(language, name, "broken stream")["raised"]["message"]
