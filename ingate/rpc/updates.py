"""What an update changes: the fields that it sets, or those that its `update_mask` names, which it may leave empty.

A message with that field is an update. Over REST the mask is the members of the body, so that `null`, `[]` and `{}` are
told from what is absent. What becomes of a field that is named and empty is its option `ingate.options.v1.clearing`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor

from gen.ingate.options.v1 import options_pb2
from ingate.errors import BadRequest

MASK = "update_mask"


def is_update(descriptor: Descriptor) -> bool:
    """Tells whether messages of a type are updates."""
    return MASK in descriptor.fields_by_name


@cache
def refusals(descriptor: Descriptor) -> Mapping[str, str]:
    """Returns, for each field that an update may change, why it cannot be cleared; empty for one that can.

    Raises TypeError where a field does not show whether it is set, or the option says neither.
    """
    found: dict[str, str] = {}
    for field in descriptor.fields:
        options = field.GetOptions()
        if not options.HasExtension(options_pb2.clearing):
            continue
        clearing = options.Extensions[options_pb2.clearing]
        if clearing.WhichOneof("outcome") is None or not (field.has_presence or field.is_repeated):
            raise TypeError(f"{field.full_name}: `clearing` says neither `to` nor `refused`, or absence does not show")
        found[field.name] = clearing.refused
    return found


def problems(update: Any) -> dict[str, str]:
    """Returns what contradicts the mask of an update, by field: nothing that was sent is left out in silence."""
    named = frozenset(update.update_mask.paths)
    if not named:
        return {}
    changeable = refusals(update.DESCRIPTOR)
    found = {MASK: "names what an update does not change"} if named - changeable.keys() else {}
    given = _given(update)
    for name in changeable:
        if name in given and name not in named:
            found[name] = f"is set, and {MASK} does not name it"
        elif name in named and name not in given and (why := changeable[name]):
            found[name] = f"cannot be cleared: {why}"
    return found


def stated(update: Any) -> frozenset[str]:
    """Returns the names of the fields that an update changes; one that is empty is to be cleared.

    Raises BadRequest where there are none.
    """
    names = frozenset(update.update_mask.paths) or refusals(update.DESCRIPTOR).keys() & _given(update)
    if not names:
        raise BadRequest("the request states nothing to change")
    return frozenset(names)


def _given(message: Any) -> set[str]:
    return {field.name for field, _ in message.ListFields()}
