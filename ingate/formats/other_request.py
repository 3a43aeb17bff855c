"""Requests whose format is not read, and a provider's name before the models of any request.

A model is looked for where the documents of providers put one. Nothing is refused: what is neither a form nor a JSON
object names none. Knows no provider.
"""

import re

import msgspec
from msgspec import Struct

from ingate.formats.large_request import scanning
from ingate.formats.malformed import MalformedBody
from ingate.formats.multipart import finding, last_value
from ingate.formats.oddities import BOM
from ingate.formats.pace import LARGE, Budget, Pace, Steps
from ingate.formats.scan import BLANK
from ingate.formats.shape import Shape
from ingate.formats.spliced import Body, Span, Whole, splicing

_FIELD = b"model"
_OPEN_OBJECT = re.compile(rb"(?:%b)?%b\{" % (BOM, BLANK))
_RESOURCE = "models/"  # before every name of Google's


class _Named(Struct, gc=False):
    model: str | None = None


class _Item(Struct, gc=False):
    model: str | None = None  # Google: one of several embeddings
    params: _Named | None = None  # Anthropic: one message of a batch


class _Places(Struct, gc=False, rename={"counted": "generateContentRequest"}):
    model: str | None = None
    session: _Named | None = None  # OpenAI: a secret for a realtime session
    requests: list[_Item] | None = None
    counted: _Named | None = None  # Google


_PLACES = Shape(_Places)
_encode = msgspec.json.Encoder().encode


def naming_other(body: Whole, boundary: bytes) -> Steps[str | None]:
    """Returns the model that a form or a JSON body names; of a batch, the first model counts.

    `boundary` is that of a form, empty where the body is none.
    """
    if boundary:
        return last_value(body, (yield from finding(body, boundary, _FIELD, Budget(Pace()))))
    if not _may_be_object(body):
        return None
    if len(body) <= LARGE:
        said = _PLACES.read(body)
    else:
        try:
            said = (yield from scanning(body, _PLACES, _FIELD)).said
        except MalformedBody:
            return None
    return None if said is None else _first(said)


def taking_out(body: Whole, prefix: str, boundary: bytes) -> Steps[Body]:
    """Returns the body without a prefix and its slash before its models, every other byte as it was.

    Of a form's fields, repeated ones included, each gets the last one's model.
    """
    if boundary:
        spans = yield from finding(body, boundary, _FIELD, Budget(Pace()))
        model = _without(last_value(body, spans) or "", prefix)
        if model is None:
            return body
        value = model.encode()
        return (yield from splicing(body, ((span, value) for span in spans)))
    if not _may_be_object(body):
        return body
    try:
        (spans,) = (yield from scanning(body, _PLACES, _FIELD)).places
    except MalformedBody:
        return body
    named = ((span, _without(_text(body, span), prefix)) for span in spans)
    return (yield from splicing(body, ((span, _encode(model)) for span, model in named if model is not None)))


def _first(said: _Places) -> str | None:
    inside = [item.model or (item.params and item.params.model) for item in said.requests or ()]
    names = (said.model, said.session and said.session.model, *inside)
    return next((name.removeprefix(_RESOURCE) for name in names if name), None)


def _may_be_object(body: Whole) -> bool:
    return _OPEN_OBJECT.match(body) is not None


def _text(body: Whole, span: Span) -> str:
    try:
        return msgspec.json.decode(memoryview(body)[slice(*span)], type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _without(model: str, prefix: str) -> str | None:
    """Returns the model behind a prefix, `None` where that does not stand before one."""
    resource = _RESOURCE if model.startswith(_RESOURCE) and not model.startswith(prefix + "/") else ""
    rest = model.removeprefix(resource)
    return resource + rest[len(prefix) + 1 :] if rest.startswith(prefix + "/") and len(rest) > len(prefix) + 1 else None
