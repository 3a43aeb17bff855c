"""About how many tokens a stream is whose usage nobody has stated. Knows no tokenizer.

A token is taken for four bytes of UTF-8: four letters of English, two of Cyrillic or Arabic, four thirds of a Chinese
character.
"""

from msgspec import structs

from ingate.formats.facts import ResponseFacts
from ingate.formats.pace import Pace, Steps
from ingate.formats.paths import Format
from ingate.formats.request import reading_size

_BYTES = 4
_STATED_EARLY = frozenset({Format.ANTHROPIC_MESSAGES, Format.VERTEX_ANTHROPIC, Format.BEDROCK_INVOKE})


def estimating(format: Format, asked: bytes | bytearray, facts: ResponseFacts, pace: Pace) -> Steps[ResponseFacts]:
    """Returns the facts of a streamed answer, with an estimate of what its usage does not state.

    What is stated stays, but for the output that Anthropic states before it begins: of a stream that broke off, what
    was answered counts if it is more. Nothing is estimated where nothing was answered, the answer tells an error, or
    the request cannot be read.
    """
    stated = facts.usage
    if (stated.total is not None or facts.units) and facts.complete:
        return facts
    if facts.error is not None or not (facts.completion or facts.unkept or facts.finish_reason):
        return facts
    input, output = stated.input, stated.output
    if output is None or (format in _STATED_EARLY and facts.finish_reason is None):
        output = max(output or 0, _tokens(_answered(facts)))
    if input is None and stated.cache_read is None and stated.cache_write is None:
        size = yield from reading_size(format, asked, pace)
        if size is None:
            return facts
        input = _tokens(size)
    usage = structs.replace(stated, input=input, output=output)
    return facts if usage == stated else structs.replace(facts, usage=usage, estimated=True)


def _answered(facts: ResponseFacts) -> int:
    """Returns about how many bytes were answered. What was not kept is taken to be like what was."""
    text = facts.completion or ""
    size = len(text.encode("utf-8", "replace"))
    return size + (facts.unkept * size // len(text) if text else facts.unkept)


def _tokens(size: int) -> int:
    return -(-size // _BYTES)
