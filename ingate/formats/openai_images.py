"""Pictures that are made, edited and varied, as OpenAI has it and others do alike: whole, or as events.

A picture is no text: what is said of the answer is how many there are.
"""

from msgspec import Raw, Struct

from ingate.formats.content import cap
from ingate.formats.fault import describe_body
from ingate.formats.media_usage import MediaUsage, take_usage
from ingate.formats.shape import Shape
from ingate.formats.sse import is_done
from ingate.formats.tally import Tally

IMAGES = "images"
"""The name in metadata of how many pictures an answer holds."""
_COMPLETED = ".completed"
_FAILED = ".failed"


class _Request(Struct, gc=False):
    prompt: str | None = None


class _Picture(Struct, gc=False):
    error: Raw = Raw()


class _Answer(Struct, gc=False):
    """A whole answer, or an event."""

    type: str | None = None
    model: str | None = None
    data: list[_Picture] | None = None
    usage: MediaUsage | None = None
    error: Raw = Raw()


REQUEST = Shape(_Request)
ANSWER = Shape(_Answer)


def prompt(body: bytes) -> str | None:
    """Returns the prompt of a request; `None` when there is none, or the body is not a JSON object."""
    request = REQUEST.read(body)
    return None if request is None else cap(request.prompt)


def event(tally: Tally, data: bytes) -> bool:
    """Takes one event of a stream; tells whether it could be read. Partial pictures are none."""
    if is_done(data):
        tally.complete = True
        return True
    answer = ANSWER.read(data)
    if answer is None:
        return False
    kind = answer.type or ""
    if kind == "error" or kind.endswith(_FAILED):
        tally.error = tally.error or describe_body(data) or "error"
    elif answer.error and tally.fails(answer.error):
        pass
    elif kind.endswith(_COMPLETED):
        _take(tally, answer, 1 + int(tally.terms.get(IMAGES, "0")))
        tally.complete = True
    return True


def whole(tally: Tally, data: bytes) -> bool:
    """Takes a whole response; tells whether it could be read."""
    answer = ANSWER.read(data)
    if answer is None:
        return False
    if not (answer.error and tally.fails(answer.error)) and answer.data is not None:
        _take(tally, answer, sum(not picture.error for picture in answer.data))
    return True


def _take(tally: Tally, answer: _Answer, pictures: int) -> None:
    tally.name(answer.model)
    tally.term(IMAGES, str(pictures))
    tally.texts = [f"[{pictures} image{'' if pictures == 1 else 's'}]"]
    if answer.usage is not None:
        take_usage(tally, answer.usage)
    if tally.counts is None:
        tally.unit("output_images", pictures)
    elif tally.counts.output and "output_image_tokens" not in tally.units:
        # Without details, what is put out are pictures.
        tally.unit("output_image_tokens", tally.counts.output)
