"""What is learned about one exchange. Knows nothing of how.

Structs rather than dataclasses, because one of each is made for every request and they cost a fifth.
"""

from msgspec import Struct

from ingate.formats.usage import Usage

MAX_TEXT = 64 * 1024
"""Characters of prompt and of completion that are kept; the rest is left out."""


class RequestFacts(Struct, frozen=True, gc=False):
    """What a request says of itself. `None` where it does not say, or says it with the wrong type.

    `prompt` is the text of the last user message, at most `MAX_TEXT` characters.
    """

    model: str | None
    stream: bool
    prompt: str | None


class ResponseFacts(Struct, frozen=True, gc=False):
    """What a response says of itself.

    `completion` is the text answered, at most `MAX_TEXT` characters, `None` when there was none.
    `finish_reason` is the provider's own word. `complete` says that a stream reached its terminal
    marker, or that a whole body could be parsed. `error` is what the provider reported as an
    error, at most 500 characters; or why the body could not be read, and then starts with
    `unreadable: `. `tool_calls` counts calls the caller is asked to make.
    """

    model: str | None
    usage: Usage
    completion: str | None
    finish_reason: str | None
    complete: bool
    error: str | None
    tool_calls: int

    @property
    def metadata(self) -> list[tuple[str, str]]:
        """What an exchange has no field of its own for, as names and values."""
        pairs = []
        if self.finish_reason is not None:
            pairs.append(("finish_reason", self.finish_reason))
        if self.error is not None:
            pairs.append(("provider_error", self.error))
        if self.tool_calls:
            pairs.append(("tool_calls", str(self.tool_calls)))
        return pairs
