"""What vendors answer is read for what it says and priced as they price it, however its bytes arrive."""

import random

import pytest

from ingate.formats import ResponseReader, read_prompt, read_response
from ingate.formats import reader as reading
from ingate.pricing import bill, to_pico
from tests.support.answers import ANSWERS, DIRECTORY

SMALL = 4096
DIVISIONS = 20

every_answer = pytest.mark.parametrize("answer", ANSWERS, ids=lambda one: one.name)


def read(answer, pieces):
    reader = ResponseReader(answer.format, answer.media, "")
    for piece in pieces:
        reader.feed(piece)
    return answer.learned(reader.finish())


def priced(answer):
    facts = answer.facts
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
    """Each piece is read as it comes; small answers are divided at every byte too."""
    monkeypatch.setattr(reading, "_BATCH", 1)
    body = answer.body
    chance = random.Random(answer.name)
    for _ in range(DIVISIONS):
        cuts = sorted(chance.randrange(len(body) + 1) for _ in range(chance.randrange(1, 40)))
        assert read(answer, divided(body, cuts)) == answer.facts
    if len(body) <= SMALL:
        assert read(answer, [body[at : at + 1] for at in range(len(body))]) == answer.facts
        for cut in range(len(body)):
            assert read(answer, [body[:cut], body[cut:]]) == answer.facts


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
