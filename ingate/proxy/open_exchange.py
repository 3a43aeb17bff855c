"""One exchange under way: its course is noted as it happens, for the record that is made at its end.

Structs rather than dataclasses, because one of each is made for every request and they cost a fifth.
"""

import time

import msgspec

from gen.ingate.exchanges.v1.exchange_pb2 import CACHE_BYPASS, SOURCE_PROXY
from ingate.formats import ResponseFacts, ResponseReader, UsageFilter
from ingate.net.budget import Lease
from ingate.proxy.grants import Grant
from ingate.proxy.masking import Mask
from ingate.proxy.policies import Policy
from ingate.proxy.ports import Headers
from ingate.proxy.request_head import RequestHead
from ingate.proxy.target import Target


class Attempt(msgspec.Struct):
    """One try at one provider; `seconds` to its response head or its failure."""

    provider: str
    seconds: float
    status: int | None = None
    error: str | None = None


class Learned(msgspec.Struct, frozen=True):
    """What the bodies of an exchange say."""

    prompt: str | None
    facts: ResponseFacts


class OpenExchange(msgspec.Struct):
    """One exchange so far.

    `created_at` is in microseconds since the epoch; `started` and `first_byte` are seconds of the monotonic clock.

    `read_on`: the caller has left, and the answer is read to its end nevertheless.

    `source` and `cache` are numbers of the enumerations of that name.

    `kept` counts the bytes of a long answer that are held for the record.

    `response_reader` has read an answer of which not all bytes are kept. `learned` is what the bodies say, where the
    record does not hold them whole; `unpacked` is the beginning of a compressed answer. `mask` finds the credentials
    sent to the provider in the record. `usage_filter` has the part of the answer that was hidden from the caller.
    """

    request_id: str
    grant: Grant
    head: RequestHead
    created_at: int
    started: float = msgspec.field(default_factory=time.perf_counter)
    request_body: bytes | bytearray = b""
    target: Target | None = None
    mask: Mask | None = None
    policy: Policy | None = None
    model: str | None = None
    attempts: list[Attempt] = []
    status: int = 0
    stream: bool = False
    first_byte: float | None = None
    response_headers: Headers = []
    media_type: str = ""
    response_encoding: str = ""
    response_body: list[bytes] = []
    kept: Lease | None = None
    response_reader: ResponseReader | None = None
    learned: Learned | None = None
    unpacked: bytes | None = None
    usage_filter: UsageFilter | None = None
    truncated: bool = False
    client_gone: bool = False
    read_on: bool = False
    error_code: str | None = None
    error_message: str | None = None
    settled: bool = False
    source: int = SOURCE_PROXY
    cache: int = CACHE_BYPASS

    def forget_answer(self) -> None:
        """Clears the fields of an answer that failed before any of it was sent, for the next provider."""
        self.status, self.stream, self.first_byte = 0, False, None
        self.response_headers, self.media_type, self.response_encoding = [], "", ""
        self.response_body, self.usage_filter = [], None

    def let_go(self) -> None:
        """Drops the bodies, once the exchange is recorded: it may still wait for a slow caller."""
        self.request_body = b""
        self.response_body = []
        self.response_reader = self.unpacked = None
        if self.kept is not None:
            self.kept.release()
