"""ExchangeService: list, get, tail."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import undefer

from gen.ingate.exchanges.v1 import exchange_service_pb2 as pb
from gen.ingate.exchanges.v1 import exchange_service_pb2_grpc
from ingate.db import Database
from ingate.errors import NotFound
from ingate.exchanges.columns import BODIES
from ingate.exchanges.filters import conditions
from ingate.exchanges.listing import BASIC, LISTED
from ingate.exchanges.messages import listed, message, payload
from ingate.exchanges.tables import Exchange
from ingate.exchanges.tail import Tail
from ingate.page import Order
from ingate.rpc.principal import principal

NEWEST = Order(Exchange.created_at, Exchange.id, descending=True)
PAYLOAD = tuple(getattr(Exchange, name) for name in BODIES)


class ExchangeServicer(exchange_service_pb2_grpc.ExchangeServiceServicer):
    """Exchanges in the database. `tail` tells of those that are stored from now on."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.tail = Tail(database)

    async def ListExchanges(self, request: pb.ListExchangesRequest, context: Any) -> pb.ListExchangesResponse:
        """Returns a page, newest first; the cursor is the place after which the next one begins."""
        columns = BASIC if request.view == pb.EXCHANGE_VIEW_BASIC else LISTED
        query = select(*columns).where(Exchange.org_id == principal().org_id, *conditions(request))
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

    async def TailExchanges(
        self, request: pb.TailExchangesRequest, context: Any
    ) -> AsyncIterator[pb.TailExchangesResponse]:
        """Streams exchanges as they are stored, until the caller leaves."""
        async with aclosing(self.tail.answers(request, principal().org_id)) as answers:
            async for answer in answers:
                yield answer
