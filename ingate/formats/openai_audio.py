"""Sound to text and text to sound, as OpenAI has them and others do alike: transcriptions, translations, speech.

A transcription is an object, a stream of events, or plain text (also as subtitles). Speech is events, or sound itself,
which says nothing of what it took.
"""

from msgspec import Raw, Struct

from ingate.formats.content import Strings, strings_of
from ingate.formats.fault import describe_body
from ingate.formats.media_usage import MediaUsage, Seconds, take_seconds, take_usage
from ingate.formats.shape import Shape
from ingate.formats.sse import is_done
from ingate.formats.tally import Tally

_DELTAS = frozenset({"transcript.text.delta", "transcription.text.delta"})
_DONE = frozenset({"transcript.text.done", "transcription.done", "speech.audio.done"})


class _SpeechRequest(Struct, gc=False):
    input: Strings = Raw()


class _Answer(Struct, gc=False):
    """A transcription or an event of one; of speech, what is not sound."""

    type: str | None = None
    model: str | None = None
    text: str | None = None
    delta: str | None = None
    duration: Seconds | None = None
    usage: MediaUsage | None = None
    error: Raw = Raw()


SPEECH_REQUEST = Shape(_SpeechRequest)
ANSWER = Shape(_Answer)


def speech_prompt(body: bytes) -> str | None:
    """Returns what is to be spoken; `None` when nothing is, or the body is not a JSON object."""
    request = SPEECH_REQUEST.read(body)
    return None if request is None else strings_of(request.input)


def event(tally: Tally, data: bytes) -> bool:
    """Takes one event of a stream; tells whether it could be read."""
    if is_done(data):
        tally.complete = True
        return True
    answer = ANSWER.read(data)
    if answer is None:
        return False
    if answer.type == "error":
        tally.error = tally.error or describe_body(data) or "error"
    elif answer.error and tally.fails(answer.error):
        pass
    elif answer.type in _DELTAS:
        tally.say(answer.delta or answer.text or "")
    elif answer.type in _DONE:
        _take(tally, answer)
        tally.complete = True
    return True


def whole(tally: Tally, data: bytes) -> bool:
    """Takes a whole response; tells whether it could be read."""
    answer = ANSWER.read(data)
    if answer is None:
        return False
    if not (answer.error and tally.fails(answer.error)):
        _take(tally, answer)
    return True


def text(tally: Tally, data: bytes) -> bool:
    """Takes a transcription that is nothing but text."""
    tally.say(data.decode("utf-8", "replace"))
    tally.complete = True
    return True


def _take(tally: Tally, answer: _Answer) -> None:
    """Takes a transcription. What a stream has said already is not taken again."""
    tally.name(answer.model)
    if answer.text and not tally.texts:
        tally.say(answer.text)
    if answer.usage is not None:
        take_usage(tally, answer.usage)
    if tally.counts is None:
        # Some state the length of the recording and no usage.
        take_seconds(tally, answer.duration)
