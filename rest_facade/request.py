"""A request that a dialect claims, as what answers it sees it. Knows no connection and no route."""

from dataclasses import dataclass

from multidict import CIMultiDictProxy

from rest_facade.http1 import Body


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` and `query` are raw; `address` is the caller's, empty where the transport has none."""

    id: str
    method: str
    path: str
    query: str
    headers: CIMultiDictProxy[str]
    address: str
    body: Body
