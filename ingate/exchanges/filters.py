"""The filters of a request, as conditions for the database and as a function of a loaded row. Both find the same."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, or_

from gen.ingate.exchanges.v1 import exchange_service_pb2 as pb
from ingate import clock
from ingate.exchanges.tables import Exchange

Request = pb.ListExchangesRequest | pb.TailExchangesRequest

EQUAL = ("level", "model", "status_code", "source", "user_id", "session_id", "key_id", "app_id", "team_id", "stream")
"""Filters for equality with the column of the same name."""
Facts = tuple[Any, ...]
"""The values of one row that filters compare."""
facts: Callable[[Any], Facts] = attrgetter("provider", "served_by", "created_at", *EQUAL)
"""Returns the facts of a row that has these columns."""
_FIRST_EQUAL = 3


def conditions(request: Request) -> list[ColumnElement[bool]]:
    """Returns the filters as conditions of a query."""
    found = [getattr(Exchange, name) == value for name, value in _equal(request)]
    if request.HasField("provider"):
        found.append(or_(Exchange.provider == request.provider, Exchange.served_by == request.provider))
    if request.HasField("since"):
        found.append(Exchange.created_at >= clock.from_proto(request.since))
    if request.HasField("until"):
        found.append(Exchange.created_at < clock.from_proto(request.until))
    return found


def matcher(request: Request) -> Callable[[Facts], bool]:
    """Returns the filters as a function of the facts of a row."""
    asked = [(_FIRST_EQUAL + EQUAL.index(name), value) for name, value in _equal(request)]
    provider = request.provider if request.HasField("provider") else None
    since = clock.from_proto(request.since) if request.HasField("since") else None
    until = clock.from_proto(request.until) if request.HasField("until") else None

    def matches(found: Facts) -> bool:
        return (
            all(found[place] == value for place, value in asked)
            and (provider is None or provider in found[:2])
            and (since is None or found[2] >= since)
            and (until is None or found[2] < until)
        )

    return matches


def _equal(request: Any) -> list[tuple[str, Any]]:
    return [(name, getattr(request, name)) for name in EQUAL if request.HasField(name)]
