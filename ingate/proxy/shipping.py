"""Carries journal records to RecordService.Record without parsing them again, whether they are packed or messages."""

from collections.abc import Awaitable, Callable

import grpc
from grpc.aio import AioRpcError, Channel

from gen.ingate.exchanges.v1.record_service_pb2 import RecordRequest, RecordResponse
from ingate.packed import MARK
from ingate.proxy.journal import NotShipped, Rejected
from ingate.proxy.protobuf_wire import sized, tag

METHOD = "/ingate.exchanges.v1.RecordService/Record"
DEADLINE_SECONDS = 30.0
PERMANENT = frozenset(
    {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OUT_OF_RANGE}
)
_RECORD, _PACKED = tag(RecordRequest, "records"), tag(RecordRequest, "packed")

_MARK = bytes((MARK,))


def ship_over(channel: Channel, metadata: tuple[tuple[str, str], ...]) -> Callable[[list[bytes]], Awaitable[None]]:
    """Returns the function that ships a batch of records over a channel, packed ones and ExchangeRecords in wire form.

    It raises Rejected when the core will never take the batch, and NotShipped when it may take it later.
    """
    call = channel.unary_unary(METHOD, request_serializer=bytes, response_deserializer=RecordResponse.FromString)

    async def ship(batch: list[bytes]) -> None:
        try:
            await call(join(batch), metadata=metadata, timeout=DEADLINE_SECONDS)
        except AioRpcError as error:
            if error.code() in PERMANENT:
                raise Rejected(error.details()) from None
            raise NotShipped(f"{error.code().name}: {error.details()}") from None

    return ship


def join(records: list[bytes]) -> bytes:
    """Returns the wire form of a RecordRequest with these records: a repeated field is its items, one after another."""
    parts: list[bytes] = []
    for record in records:
        parts += sized(_PACKED if record[:1] == _MARK else _RECORD, record)
    return b"".join(parts)
