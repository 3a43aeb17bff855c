"""What vendors answer is read for what it says and priced as they price it, however its bytes arrive."""

import json
import random
import re

import pytest

from ingate.formats import ResponseReader, SSEParser, read_prompt, read_response
from ingate.formats import reader as reading
from ingate.pricing import bill, to_pico
from tests.support.answers import ANSWERS, DIRECTORY
from tests.support.recordings import JSON, NDJSON, SSE

SMALL = 4096
SMALLEST = 1024
DIVISIONS = 10
LEAST = 32
ODDITIES = 60
DEPTH = 0.9
TEXTS = (JSON, SSE, NDJSON)
NONSENSE = [None, True, -1, 0.5, 1e300, 2**60, "", "x", "NaN", [], [5], [[]], [{}], {}, {"a": 1}]

every_answer = pytest.mark.parametrize("answer", ANSWERS, ids=lambda one: one.name)


def read(answer, pieces):
    reader = ResponseReader(answer.format, answer.media, "")
    for piece in pieces:
        reader.feed(piece)
    return answer.learned(reader.finish())


def priced(answer, facts=None):
    facts = facts or answer.facts
    model = facts.model or answer.asked
    return bill(answer.price_provider, model, facts.usage, answer.at, facts.units, facts.metadata)


def divided(body, cuts):
    return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


@every_answer
def test_an_answer_is_read(answer):
    """Model, tokens, units, terms, text, why it ended, and whether it failed."""
    facts = answer.learned(read_response(answer.format, answer.media, "", answer.body))
    assert facts == answer.facts
    assert facts.failure(stream=answer.stream) == answer.failure
    assert read_prompt(answer.format, answer.request) == answer.prompt


@every_answer
def test_an_answer_is_priced(answer):
    """To the picodollar, as worked out by hand in its file. One that names no model is of the model asked for."""
    assert priced(answer) == answer.bill


@every_answer
def test_an_answer_may_arrive_in_any_pieces(answer, monkeypatch):
    """Each piece is read as it comes. Small answers come byte by byte too, and the smallest cut in two at each byte."""
    monkeypatch.setattr(reading, "_BATCH", 1)
    body = answer.body
    chance = random.Random(answer.name)
    for _ in range(DIVISIONS):
        cuts = sorted(chance.randrange(len(body) + 1) for _ in range(chance.randrange(1, 40)))
        assert read(answer, divided(body, cuts)) == answer.facts
    if len(body) <= SMALL:
        assert read(answer, [body[at : at + 1] for at in range(len(body))]) == answer.facts
    if len(body) <= SMALLEST:
        for cut in range(len(body)):
            assert read(answer, [body[:cut], body[cut:]]) == answer.facts


@every_answer
def test_an_answer_is_scanned_for_the_same(answer, monkeypatch):
    """What is too large to be held is made small first, whole or event by event. Here, everything is too large."""
    monkeypatch.setattr(reading, "LARGE", LEAST)
    monkeypatch.setattr(reading, "SSEParser", lambda: SSEParser(LEAST))
    assert read(answer, [answer.body]) == answer.facts


def spoiled(text, chance):
    """Returns a JSON text with one of its values exchanged for nonsense."""
    whole = [json.loads(text)]
    at, key = whole, 0
    while chance.random() < DEPTH and isinstance(at[key], dict | list) and at[key]:
        at = at[key]
        key = chance.choice(list(at) if isinstance(at, dict) else range(len(at)))
    at[key] = chance.choice(NONSENSE)
    return json.dumps(whole[0])


@pytest.mark.parametrize("answer", [one for one in ANSWERS if one.media in TEXTS], ids=lambda one: one.name)
def test_nonsense_anywhere_spoils_no_answer(answer):
    """What a value is exchanged for may be lost; nothing raises, in reading or in pricing."""
    chance = random.Random(answer.name)
    body = answer.body.decode()
    objects = re.findall(r"^(?:data: ?)?({.*})\r?$", body, re.MULTILINE) if answer.stream else [body]
    for text in (chance.choice(objects) for _ in range(ODDITIES)):
        facts = read_response(answer.format, answer.media, "", body.replace(text, spoiled(text, chance)).encode())
        assert "fault of the gateway" not in (facts.error or "")
        facts.failure(stream=answer.stream)
        priced(answer, facts)


@pytest.mark.parametrize("answer", [one for one in ANSWERS if one.stated is not None], ids=lambda one: one.name)
def test_a_stated_cost_is_ours_or_the_entry_says_why_not(answer):
    """Whose price it is that an exchange costs, a difference is explained."""
    made = priced(answer)
    assert made.cost is not None
    assert made.cost == to_pico(answer.stated) or made.reason


def test_every_body_has_an_expectation():
    """No file is without its other half, and names are told apart by more than their kind."""
    files = [file.with_suffix("") for file in DIRECTORY.glob("*/*")]
    assert sorted(files) == sorted([DIRECTORY / answer.name for answer in ANSWERS] * 2)
