"""ExchangeService: list, get."""

from typing import Any

from sqlalchemy import Column, ColumnElement, case, func, or_, select
from sqlalchemy.orm import undefer

from gen.ingate.exchanges.v1 import exchange_service_pb2 as pb
from gen.ingate.exchanges.v1 import exchange_service_pb2_grpc
from ingate import clock
from ingate.db import Database
from ingate.errors import NotFound
from ingate.exchanges.columns import BODIES
from ingate.exchanges.messages import LISTED_CHARACTERS, LISTED_TEXTS, listed, message, payload
from ingate.exchanges.tables import Exchange
from ingate.page import Order
from ingate.rpc.principal import principal

EQUAL = ("level", "model", "status_code", "source", "user_id", "session_id", "key_id", "app_id", "team_id", "stream")
NEWEST = Order(Exchange.created_at, Exchange.id, descending=True)
PAYLOAD = tuple(getattr(Exchange, name) for name in BODIES)

LISTED_DOCUMENTS = {"attempts": "[]", "meta": "{}", "tags": "{}"}
"""What a list shows of these where they are longer than the next number of characters."""
LISTED_DOCUMENT = 16 * 1024


def _listed(column: Column[Any]) -> ColumnElement[Any]:
    """Returns a column as lists show it, so that the database does not hand out what a page does not hold."""
    if column.name in LISTED_TEXTS:
        return func.substr(column, 1, LISTED_CHARACTERS + 1).label(column.name)
    if (blank := LISTED_DOCUMENTS.get(column.name)) is not None:
        return case((func.length(column) <= LISTED_DOCUMENT, column), else_=blank).label(column.name)
    return column


LISTED = [_listed(column) for column in Exchange.__table__.columns if column.name not in BODIES]


class ExchangeServicer(exchange_service_pb2_grpc.ExchangeServiceServicer):
    """Exchanges in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ListExchanges(self, request: pb.ListExchangesRequest, context: Any) -> pb.ListExchangesResponse:
        """Returns a page, newest first; the cursor is the place after which the next one begins."""
        query = select(*LISTED).where(*_filters(request))
        async with self._database.read() as db:
            found = await NEWEST.page(db, query, request, principal().org_id, count=request.count)
        return pb.ListExchangesResponse(**found.answer(map(listed, found.rows)))

    async def GetExchange(self, request: pb.GetExchangeRequest, context: Any) -> pb.GetExchangeResponse:
        """Returns one exchange and its payload."""
        query = select(Exchange).where(Exchange.id == request.request_id, Exchange.org_id == principal().org_id)
        async with self._database.read() as db:
            stored = await db.scalar(query.options(*(undefer(column) for column in PAYLOAD)))
        if stored is None:
            raise NotFound.of("exchange", request.request_id)
        return pb.GetExchangeResponse(exchange=message(stored), payload=payload(stored))


def _filters(request: pb.ListExchangesRequest) -> list[ColumnElement[bool]]:
    """Returns the conditions that a list request states, beginning with the caller's organisation."""
    conditions = [Exchange.org_id == principal().org_id]
    conditions += [getattr(Exchange, name) == getattr(request, name) for name in EQUAL if request.HasField(name)]
    if request.HasField("provider"):
        conditions.append(or_(Exchange.provider == request.provider, Exchange.served_by == request.provider))
    if request.HasField("since"):
        conditions.append(Exchange.created_at >= clock.from_proto(request.since))
    if request.HasField("until"):
        conditions.append(Exchange.created_at < clock.from_proto(request.until))
    return conditions
