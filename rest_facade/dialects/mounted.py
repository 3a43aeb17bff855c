"""The dialects there are, by name, and those that a gateway mounts. The first has the paths that none claims."""

from ingate.errors import BadRequest
from rest_facade.cors import Cors
from rest_facade.dialects import ingate, ongoingai
from rest_facade.dialects.base import Dialect

NAMES = (ingate.NAME, ongoingai.NAME)


def names(listed: str) -> tuple[str, ...]:
    """Returns the names in the setting `dialects`, in their order. Raises BadRequest for others, and for one twice."""
    found = tuple(name.strip().lower() for name in listed.split(","))
    if len(set(found)) < len(found) or not set(found) <= set(NAMES):
        raise BadRequest.field(
            "dialects", f"must be names of dialects, each once, separated by commas: {', '.join(NAMES)}"
        )
    return found


def mounted(listed: str, *, cors: Cors | None, options: ongoingai.Options) -> tuple[Dialect, ...]:
    """Returns the dialects of the setting: the native one with `cors`, OngoingAI's with `options`."""
    made = {
        ingate.NAME: lambda: ingate.dialect(cors),
        ongoingai.NAME: lambda: ongoingai.dialect(options),
    }
    return tuple(made[name]() for name in names(listed))
