import json

import pytest

from ingate.formats import Format, ResponseReader, Usage
from ingate.formats.usage import Counts, anthropic_usage, gemini_usage, ollama_usage, openai_usage


@pytest.mark.parametrize(
    ("rule", "counts", "usage"),
    [
        (openai_usage, Counts(), Usage()),
        (openai_usage, Counts(prompt=10, output=5), Usage(input=10, output=5)),
        (openai_usage, Counts(prompt=10, cached=4, written=3), Usage(3, 4, 3)),
        # More than all of it: the prompt is counted beside the cache.
        (openai_usage, Counts(prompt=10, cached=12), Usage(input=10, cache_read=12)),
        (openai_usage, Counts(prompt=10, cached=12, output=1, total=23), Usage(10, 12, None, 1)),
        (openai_usage, Counts(prompt=10, cached=4, output=1, total=15), Usage(10, 4, None, 1)),
        (openai_usage, Counts(prompt=10, cached=8, written=5, output=1, total=11), Usage(0, 8, 2, 1)),
        (openai_usage, Counts(prompt=1, output=3, reasoning=4, total=4), Usage(1, None, None, 0, 3)),
        # What only the total has was thought.
        (openai_usage, Counts(prompt=20, output=198, total=623), Usage(20, None, None, 198, 405)),
        (openai_usage, Counts(prompt=21, output=0, reasoning=60, total=81), Usage(21, None, None, 0, 60)),
        (openai_usage, Counts(prompt=5, output=7, cited=3, total=12), Usage(5, None, None, 10)),
        (gemini_usage, Counts(prompt=10, output=5, total=40), Usage(10, None, None, 5, 25)),
        (gemini_usage, Counts(prompt=10, output=5, total=15), Usage(10, None, None, 5)),
        (gemini_usage, Counts(prompt=10, output=5, reasoning=1, total=99), Usage(10, None, None, 5, 1)),
        (openai_usage, Counts(cached=4), Usage(cache_read=4)),
        (openai_usage, Counts(prompt=0, output=0), Usage(input=0, output=0)),
        (openai_usage, Counts(prompt=1, output=9, reasoning=4, total=10), Usage(1, None, None, 5, 4)),
        (openai_usage, Counts(prompt=1, output=9, reasoning=4, total=14), Usage(1, None, None, 9, 4)),
        (openai_usage, Counts(output=3, reasoning=4), Usage(output=0, reasoning=4)),
        (openai_usage, Counts(reasoning=4), Usage(reasoning=4)),
        (anthropic_usage, Counts(prompt=1, cached=100, written=9, output=5), Usage(1, 100, 9, 5)),
        (anthropic_usage, Counts(output=5, reasoning=2), Usage(output=3, reasoning=2)),
        (gemini_usage, Counts(prompt=10, cached=4, tools=3, output=5, reasoning=6), Usage(9, 4, None, 5, 6)),
        (gemini_usage, Counts(tools=3), Usage(input=3)),
        (ollama_usage, Counts(prompt=1, output=2), Usage(input=1, output=2)),
    ],
)
def test_buckets_never_overlap(rule, counts, usage):
    """Each provider's way of counting ends in the same disjoint buckets; what it did not say stays unknown."""
    assert rule(counts) == usage


def test_the_total_is_of_what_was_said():
    """Nothing stated has no total; zeros have the total zero."""
    assert Usage().total is None
    assert Usage(output=0).total == 0
    assert Usage(1, 2, 3, 4, 5).total == 15


def test_usage_is_frozen():
    """Usage is a value."""
    with pytest.raises(AttributeError):
        Usage().input = 1


@pytest.mark.parametrize("wrong", [True, False, -1, 1.5, 2**53 + 1, 10**30, "seven", None, [], {}])
def test_absurd_numbers_are_unknown(wrong):
    """A count that is no count is unknown, and the count beside it is still read."""
    reader = ResponseReader(Format.OPENAI_CHAT, "application/json", "")
    reader.feed(json.dumps({"model": "m", "usage": {"prompt_tokens": wrong, "completion_tokens": 2**53}}).encode())
    facts = reader.finish()
    assert (facts.model, facts.usage) == ("m", Usage(output=2**53))
