"""The model of a request whose body is not judged: it is looked for, and nothing is refused for what it holds."""

from msgspec import Struct

from ingate.formats.condenser import Condenser
from ingate.formats.malformed import TooLarge
from ingate.formats.multipart import finding, last_value
from ingate.formats.pace import LARGE, SLICE, Budget, Pace, Steps
from ingate.formats.shape import Shape


class _Named(Struct, gc=False):
    model: str | None = None


_NAMED = Shape(_Named)


def naming_other(path: str, body: bytes, boundary: bytes) -> Steps[str | None]:  # noqa: ARG001
    """Returns the model that a form or a JSON body names. `boundary` is that of a form, empty where it is none."""
    if boundary:
        return last_value(body, (yield from finding(body, boundary, b"model", Budget(Pace()))))
    if len(body) > LARGE:
        scan = Condenser(_NAMED.outline, Budget(Pace()))
        try:
            for start in range(0, len(body), SLICE):
                yield from scan.feed(body[start : start + SLICE])
        except TooLarge:
            pass
        body = scan.close()
    named = _NAMED.read(body)
    return named.model if named is not None else None
