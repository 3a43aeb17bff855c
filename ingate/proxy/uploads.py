"""Uploads that a key has begun and that go on without it.

The first answer of a resumable upload at Google holds the URL of all further requests. Official clients send no key
with them: the `upload_id` in the URL stands for it. Only the process where an upload began knows it.
"""

import time
from collections import OrderedDict
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

ROOT = "/upload/"
"""What paths of uploads begin with."""
COMMAND = b"x-goog-upload-command"
"""The header of all their requests."""
START = b"start"
URL = b"x-goog-upload-url"
MOST = 10_000
"""Uploads that are known at a time; the oldest are forgotten first."""
LASTING = 24 * 3600.0
"""Seconds that one is known."""
_LONGEST_ID = 1024


class Begun(Struct, frozen=True):
    """An upload: the hash of the key that began it, the provider that it goes to, and until when it is known."""

    digest: bytes
    provider: str
    until: float


class Uploads:
    """The uploads of one process, by their ids."""

    def __init__(self) -> None:
        self._begun: OrderedDict[str, Begun] = OrderedDict()

    def begin(self, url: bytes, digest: bytes, provider: str) -> None:
        """Notes the upload that goes on at a URL; nothing for one that has no id, or whose id is another's."""
        upload = _id(urlsplit(url.decode("latin-1")).query)
        if upload is None or ((known := self._known(upload)) is not None and known.digest != digest):
            return
        self._begun[upload] = Begun(digest, provider, time.monotonic() + LASTING)
        self._begun.move_to_end(upload)
        if len(self._begun) > MOST:
            self._begun.popitem(last=False)

    def begun(self, path: str, query: str) -> Begun | None:
        """Returns the upload that a request goes on with, None when it does not or that is not known."""
        upload = _id(query) if path.startswith(ROOT) else None
        return None if upload is None else self._known(upload)

    def _known(self, upload: str) -> Begun | None:
        found = self._begun.get(upload)
        return found if found is not None and time.monotonic() < found.until else None


def _id(query: str) -> str | None:
    try:
        ids = parse_qs(query, max_num_fields=16).get("upload_id", [])
    except ValueError:
        return None
    return ids[0] if len(ids) == 1 and len(ids[0]) <= _LONGEST_ID else None
