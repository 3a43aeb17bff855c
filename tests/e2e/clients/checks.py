"""The table of official clients in other languages: clients by features, and by the ways in which calls fail."""

import re

import pytest

from tests.e2e.clients.expectations import CLIENTS, WORDS
from tests.e2e.clients.programs import Missing
from tests.e2e.clients.results import results, shared
from tests.e2e.clients.situations import FEATURES, PROVOKED, REASONS, TOLD

_HELLO = "Hello! I am Ingate's demo model."
_WELL = {
    "chat": lambda said: said.startswith(_HELLO),
    "stream": lambda said: said.startswith(_HELLO),
    "tools": lambda said: "fog in Oslo" in said and "fog in Paris" in said,
    "structured": lambda found: found == {"city": "demo", "days": 1},
}
_OWN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def clients(*languages):
    """Returns a decorator that runs a test once for each client of these languages."""
    cells = [(language, name) for language in languages for name in CLIENTS[language]]
    return pytest.mark.parametrize(("language", "name"), cells, ids=[" ".join(cell) for cell in cells])


@pytest.fixture(scope="session")
def result(tmp_path_factory):
    """A function: returns what a client of a language made of a situation. Skips where the language is missing."""
    found = {}

    def get(language, name, situation):
        if language not in found:
            found[language] = _outcome(language, shared(tmp_path_factory, f"clients-{language}"))
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


def check_feature(result, feature):
    """Holds a result against what the demo model says."""
    assert "raised" not in result, result
    assert _WELL[feature](result["said"])


def check_refusal(result, client, situation):
    """Holds a result against what the client raises for a refusal of the gateway, with all that it hands on."""
    status, says = PROVOKED.get(situation) or (
        REASONS[situation],
        TOLD if situation != "INTERNAL" else "internal error",
    )
    raised = result["raised"]
    assert (raised["type"], raised["status"]) == (client.exception(status), status)
    assert says in raised["message"].replace('\\"', '"')
    assert "[object" not in raised["message"]
    if client.tells_id:
        assert _OWN_ID.fullmatch(raised["request_id"])
    word = WORDS.get(client.vendor, {}).get(status)
    if word is not None and raised.get("word"):
        assert raised["word"] == word


FEATURE_NAMES = tuple(FEATURES)
SITUATIONS = (*PROVOKED, *REASONS)
