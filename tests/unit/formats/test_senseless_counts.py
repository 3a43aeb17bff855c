"""Counts that cannot be: the rest of a usage is no whole bill, so there is no cost, and the entry says why."""

import pytest

from ingate.formats import Format, read_response
from ingate.formats.shape import COUNTS
from ingate.pricing.bill import Source, bill

SENSELESS_COUNTS = ["-1", "12.5", '"many"', "1000000000000000000", "1e400", "true", "[]", "{}"]
OPENAI = b'{"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":%b,"total_tokens":15}}'
ANTHROPIC = b'{"type":"message","model":"claude-haiku-4-5","usage":{"input_tokens":10,"output_tokens":%b}}'
STATED = {
    Format.OPENAI_CHAT: OPENAI,
    Format.OPENAI_RESPONSES: b'{"object":"response","model":"gpt-4o","usage":{"input_tokens":10,"output_tokens":%b}}',
    Format.ANTHROPIC_MESSAGES: ANTHROPIC,
    Format.GEMINI: b'{"candidates":[],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":%b}}',
    Format.OLLAMA: b'{"model":"m","done":true,"prompt_eval_count":10,"eval_count":%b}',
}


@pytest.mark.parametrize("count", SENSELESS_COUNTS)
@pytest.mark.parametrize("format", STATED)
def test_a_count_that_makes_no_sense_is_told(format, count):
    """The others stay, and the answer has no cost that leaves it out; the next answer is another matter."""
    facts = read_response(format, "application/json", "", STATED[format] % count.encode())
    assert (facts.usage.input, facts.usage.output) == (10, None)
    assert dict(facts.metadata)["usage_problem"] == "the answer states a count that makes no sense"
    told = bill("openai", "gpt-4o", facts.usage, 1_700_000_000_000_000, facts.units, facts.metadata)
    assert (told.cost, told.source, told.reason) == (
        None,
        Source.UNKNOWN,
        "the answer states a count that makes no sense",
    )
    for sense in (b"5", b"5.0", b'"5"', b"null"):
        facts = read_response(format, "application/json", "", STATED[format] % sense)
        assert "usage_problem" not in dict(facts.metadata)
        told = bill("openai", "gpt-4o", facts.usage, 1_700_000_000_000_000, facts.units, facts.metadata)
        assert told.cost is not None


def test_a_provider_that_states_its_cost_may_count_as_it_likes():
    """Its word stands where the counts are no bill."""
    body = b'{"model":"m","choices":[],"usage":{"prompt_tokens":-1,"completion_tokens":5,"cost":0.25}}'
    facts = read_response(Format.OPENAI_CHAT, "application/json", "", body)
    told = bill("https://openrouter.ai/api/v1", "m", facts.usage, 0, facts.units, facts.metadata)
    assert (told.cost, told.source) == (250_000_000_000, Source.PROVIDER)


def test_what_others_read_is_not_this_answers():
    """A count that was read elsewhere meanwhile, such as in a request, marks no answer."""
    COUNTS.note()
    facts = read_response(Format.OPENAI_CHAT, "application/json", "", OPENAI % b"5")
    assert facts.metadata == ()
