"""About how many tokens a stream is whose usage nobody has stated. Knows no tokenizer.

A token is taken for four bytes of UTF-8: four letters of English, two of Cyrillic or Arabic, four thirds of a Chinese
character.
"""

from msgspec import structs

from ingate.formats.facts import ResponseFacts
from ingate.formats.pace import Pace, Steps
from ingate.formats.paths import Format
from ingate.formats.request import reading_size
from ingate.pricing.usage import Usage

_BYTES = 4


def estimating(format: Format, asked: bytes | bytearray, facts: ResponseFacts, pace: Pace) -> Steps[ResponseFacts]:
    """Returns the facts of a streamed answer, with an estimate of its usage where that is unstated.

    Nothing is estimated where nothing was answered, the answer tells an error, or the request cannot be read.
    """
    if facts.usage.total is not None or facts.units or facts.error is not None:
        return facts
    if not (facts.completion or facts.unkept or facts.finish_reason):
        return facts
    size = yield from reading_size(format, asked, pace)
    if size is None:
        return facts
    usage = Usage(input=_tokens(size), output=_tokens(_answered(facts)))
    return structs.replace(facts, usage=usage, estimated=True)


def _answered(facts: ResponseFacts) -> int:
    """Returns about how many bytes were answered. What was not kept is taken to be like what was."""
    text = facts.completion or ""
    size = len(text.encode("utf-8", "replace"))
    return size + (facts.unkept * size // len(text) if text else facts.unkept)


def _tokens(size: int) -> int:
    return -(-size // _BYTES)
