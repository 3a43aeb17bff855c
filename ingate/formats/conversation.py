"""The messages of a request, as the formats of chats have them in common. Knows no particular format."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Raw, Struct

from ingate.formats.content import Content, size_of, text_of
from ingate.formats.shape import Shape


class _Said(Protocol):
    @property
    def role(self) -> str | None: ...
    @property
    def content(self) -> Raw: ...


class Message(Struct, gc=False):
    """A message of any role."""

    role: str  # required: a large body of empty objects must not become as many structs
    content: Content = Raw()


class Request(Struct, gc=False):
    """The messages of a conversation, the last one last."""

    messages: list[Message] | None = None


class Counted(Request, gc=False):
    """The same with what stands before the messages."""

    system: Content = Raw()


REQUEST, COUNTED = Shape(Request), Shape(Counted)
_A_MESSAGE, _A_REPLY = 16, 12
"""OpenAI's chat models put four tokens around each message, its role among them, and three before their own."""


def prompt(body: bytes) -> str | None:
    """Returns the prompt of a request; `None` when there is none, or the body is not a JSON object."""
    request = REQUEST.read(body)
    return last_of_user((request and request.messages) or ())


def last_of_user(messages: Sequence[_Said]) -> str | None:
    """Returns the text of the user's last message that has any, `None` when none has."""
    for message in reversed(messages):
        if message.role == "user" and (said := text_of(message.content)) is not None:
            return said
    return None


def size(body: bytes) -> int | None:
    """Returns how many bytes of UTF-8 the text of a request has; `None` when it has no messages.

    What else a message costs counts as 16 bytes, and 12 go before the answer. Images, audio, files and the definitions
    of tools are not counted.
    """
    request = COUNTED.read(body)
    if request is None or not request.messages:
        return None
    return around(size_of(message.content) for message in request.messages) + size_of(request.system)


def around(sizes: Iterable[int]) -> int:
    """Returns how many bytes messages of these sizes have with what stands around them."""
    return sum(size + _A_MESSAGE for size in sizes) + _A_REPLY
