"""The packed record of an exchange: a msgpack array, written and read in half the time of an ExchangeRecord.

It is used where both bodies are complete, so that the core can read them when the record arrives. A gateway writes it
once, when the exchange ends; journal and core pass it on unchanged. Knows no journal and no table.
"""

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta, Struct

MARK = 0xDC
"""The first byte of a packed record, an array of 16 items or more. No message in protobuf's wire form begins so."""

_Int32 = Annotated[int, Meta(ge=-(2**31), lt=2**31)]


class PackedAttempt(Struct, array_like=True, gc=False):
    """One try at one provider; `latency_ms` to its response head or its failure."""

    provider: str
    latency_ms: float
    status_code: _Int32 | None
    error: str | None


class PackedRecord(Struct, array_like=True, gc=False):
    """An exchange: fields are those of ExchangeRecord, Exchange and Payload, by the same names.

    `stated` is a part of an ExchangeRecord in wire form: the fields that a grant, a target and a head determine, which
    many records have in common.
    `created_at` is in microseconds since the epoch. New fields go last and have a default, so that records already in a
    journal remain readable.
    """

    truncated: ClassVar[bool] = False
    metadata: ClassVar[dict[str, str]] = {}
    """These are the same in all packed records."""

    stated: bytes
    request_id: str
    created_at: int
    status_code: _Int32
    level: _Int32
    error_code: str | None
    error_message: str | None
    latency_ms: float
    ttft_ms: float | None
    stream: bool
    attempts: list[PackedAttempt]
    model: str | None
    format: str
    media_type: str
    request_headers: bytes
    request_body: bytes
    response_headers: bytes
    response_body: bytes
    hidden_event: bytes
    user_id: str | None = None
    session_id: str | None = None


pack = msgspec.msgpack.Encoder().encode
"""Returns a record as bytes. Raises UnicodeEncodeError for what is no text."""
unpack = msgspec.msgpack.Decoder(PackedRecord).decode
"""Returns the record of some bytes. Raises one of UNREADABLE for others."""
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What bytes are told that are no packed record: their form, a text that is none, an item of many levels."""
