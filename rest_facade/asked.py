"""The part of a request before its body, on which the forms of answers depend. Knows no route and no dialect."""

from dataclasses import dataclass

from multidict import CIMultiDict, CIMultiDictProxy

Headers = CIMultiDictProxy[str]

_NO_HEADERS: Headers = CIMultiDictProxy(CIMultiDict())


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    `path` and `query` are as they were sent. `request_id` is the gateway's. `address` is the caller's, empty where the
    transport has none.
    """

    method: str
    path: str
    query: str
    headers: Headers
    request_id: str
    address: str


def nothing(request_id: str) -> Asked:
    """Returns what is known of a request that is not HTTP."""
    return Asked("GET", "", "", _NO_HEADERS, request_id, "")
