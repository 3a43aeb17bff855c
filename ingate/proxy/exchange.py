"""One exchange under way: what becomes of it is noted as it happens, and turned into its record once.

Structs rather than dataclasses, because one of each is made for every request and they cost a fifth.
"""

import time

import msgspec

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from gen.ingate.exchanges.v1.exchange_service_pb2 import ExchangeRecord
from ingate import clock
from ingate.formats import RequestFacts, ResponseFacts, Usage, unpacked
from ingate.logs import mask
from ingate.proxy.grants import Grant
from ingate.proxy.headers import recorded
from ingate.proxy.ports import Headers
from ingate.proxy.target import Target

CLIENT_CLOSED = 499
NO_USAGE = Usage()
_json = msgspec.json.Encoder()


class Attempt(msgspec.Struct):
    """One try at one provider; `seconds` to its response head or its failure."""

    provider: str
    seconds: float
    status: int | None = None
    error: str | None = None


class Exchange(msgspec.Struct):
    """What is known of one exchange so far. Times of `started` and `first_byte` are of the monotonic clock."""

    request_id: str
    grant: Grant
    method: str
    path: str
    request_headers: Headers
    created_at: int = msgspec.field(default_factory=clock.now)
    started: float = msgspec.field(default_factory=time.perf_counter)
    user_id: str | None = None
    session_id: str | None = None
    request_body: bytes = b""
    request_facts: RequestFacts | None = None
    target: Target | None = None
    model: str | None = None
    attempts: list[Attempt] = []
    status: int = 0
    stream: bool = False
    first_byte: float | None = None
    response_headers: Headers = []
    response_encoding: str = ""
    response_body: list[bytes] = []
    response_facts: ResponseFacts | None = None
    truncated: bool = False
    client_gone: bool = False
    error_code: str | None = None
    settled: bool = False

    def record(self, capture: int) -> ExchangeRecord:
        """Returns the record; bodies are kept up to `capture` bytes, 0 keeps no payload at all."""
        now = time.perf_counter()
        status = CLIENT_CLOSED if self.client_gone else self.status
        facts, grant, target = self.response_facts, self.grant, self.target
        usage = facts.usage if facts else NO_USAGE
        exchange = pb.Exchange(
            request_id=self.request_id,
            source=pb.SOURCE_PROXY,
            provider=target.name if target else "",
            served_by=target.name if target and self.attempts and self.attempts[-1].status is not None else "",
            model=(facts.model if facts else None) or self.model or "",
            method=self.method,
            path=mask(self.path),
            status_code=status,
            level=_level(status, self.error_code),
            error_code="client_closed" if self.client_gone else self.error_code,
            stream=self.stream,
            latency_ms=round((now - self.started) * 1000, 3),
            ttft_ms=None if self.first_byte is None else round((self.first_byte - self.started) * 1000, 3),
            cache=pb.CACHE_BYPASS,
            user_id=self.user_id and mask(self.user_id),
            session_id=self.session_id and mask(self.session_id),
            key_id=grant.key_id,
            app_id=grant.app_id,
            team_id=grant.team_id,
            prompt=self.request_facts.prompt if self.request_facts else None,
            completion=facts.completion if facts else None,
            input_tokens=usage.input,
            output_tokens=usage.output,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write,
            reasoning_tokens=usage.reasoning,
            total_tokens=usage.total,
        )
        seconds, micros = divmod(self.created_at, clock.SECOND)
        exchange.created_at.seconds, exchange.created_at.nanos = seconds, micros * 1000
        for attempt in self.attempts:
            exchange.attempts.add(
                provider=attempt.provider,
                status_code=attempt.status,
                error=attempt.error,
                latency_ms=round(attempt.seconds * 1000, 3),
            )
        if facts:
            _learn(exchange, facts)
        record = ExchangeRecord(
            org_id=grant.org_id, exchange=exchange, price_provider=target.price_provider if target else ""
        )
        if capture:
            self._add_payload(record.payload, capture)
        return record

    def _add_payload(self, payload: pb.Payload, capture: int) -> None:
        body = self.response_body[0] if len(self.response_body) == 1 else b"".join(self.response_body)
        if self.response_encoding:
            body = unpacked(body, self.response_encoding, capture + 1)
        payload.request_headers = _json.encode(recorded(self.request_headers))
        payload.request_body = self.request_body[:capture]
        payload.response_headers = _json.encode(recorded(self.response_headers))
        payload.response_body = body[:capture]
        payload.truncated = self.truncated or len(self.request_body) > capture or len(body) > capture


def _learn(exchange: pb.Exchange, facts: ResponseFacts) -> None:
    if facts.finish_reason is not None:
        exchange.metadata["finish_reason"] = facts.finish_reason
    if facts.error is not None:
        exchange.metadata["provider_error"] = facts.error
    if facts.tool_calls:
        exchange.metadata["tool_calls"] = str(facts.tool_calls)


def _level(status: int, error_code: str | None) -> pb.Level.ValueType:
    if status == CLIENT_CLOSED or 400 <= status < 500:
        return pb.LEVEL_WARN
    return pb.LEVEL_ERROR if status >= 500 or error_code else pb.LEVEL_INFO
