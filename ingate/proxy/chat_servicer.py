"""ChatService: typed inference, an OpenAI chat completion that is written before the engine and read behind it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

from gen.ingate.chat.v1 import answer_pb2 as answers
from gen.ingate.chat.v1 import chat_service_pb2 as pb
from gen.ingate.chat.v1 import chat_service_pb2_grpc
from gen.ingate.proxy.v1.proxy_service_pb2 import ForwardResponse, Started
from ingate.errors import DomainError
from ingate.formats.chat_answer import ChatReader
from ingate.formats.chat_whole import WholeAnswer
from ingate.net.budget import BodyBudget
from ingate.proxy.chat_fault import FaultReader
from ingate.proxy.chat_question import Question, Request
from ingate.proxy.policies import Policies
from ingate.proxy.rpc_host import RpcHost, key_holder
from ingate.rpc.interceptors.authenticate import credential

COMPLETE = "/ingate.chat.v1.ChatService/Complete"
STREAM_COMPLETE = "/ingate.chat.v1.ChatService/StreamComplete"
_EVENTS = 256
"""Events that are read in one go."""

Event = pb.StreamCompleteResponse


class ChatServicer(chat_service_pb2_grpc.ChatServiceServicer):
    """Asks providers that speak OpenAI chat. The engine does with such a call what it does with one over HTTP."""

    def __init__(self, host: RpcHost, policies: Policies, bodies: BodyBudget, *, max_body: int) -> None:
        self._host = host
        self._policies = policies
        self._bodies = bodies
        self._max_body = max_body

    async def Complete(self, request: pb.CompleteRequest, context: Any) -> pb.CompleteResponse:
        """Returns the whole answer."""
        question = self._question(request, context)
        del request  # what is in it is held by the question, until it is written
        answer = WholeAnswer()
        async with aclosing(self._events(question)) as events:
            async for event in events:
                answer.add(event)
        return answer.response()

    async def StreamComplete(self, request: pb.StreamCompleteRequest, context: Any) -> AsyncIterator[Event]:
        """Streams the answer as started, deltas, finished."""
        question = self._question(request, context)
        del request
        async with aclosing(self._events(question)) as events:
            async for event in events:
                yield event

    def _question(self, request: Request, context: Any) -> Question:
        caller = key_holder()
        metadata = {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}
        lease = self._bodies.lease_for(caller.org_id)
        secret = credential(metadata) or ""
        return Question(request, secret, caller.request_id, self._policies, lease, max_body=self._max_body)

    async def _events(self, question: Question) -> AsyncGenerator[Event, None]:
        """Yields the events of the answer. Raises the DomainError that is to be answered, or to end it."""
        hosted = self._host.run(question.inbound, question.lease)
        reading = _Reading(question)
        try:
            while (piece := await hosted.next()) is not None:
                for count, event in enumerate(reading.take(piece), 1):
                    yield event
                    if not count % _EVENTS:
                        await asyncio.sleep(0)  # others have their turn
            for event in reading.finish():
                yield event
        except DomainError as error:
            reading.judge(error)
            raise
        finally:
            hosted.leave()


class _Reading:
    """The answer to a question, read as its pieces come."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._reader: ChatReader | FaultReader | None = None  # once the head of the answer is known
        self._begun = False
        self._complete = False

    def take(self, piece: ForwardResponse) -> Iterator[Event]:
        """Yields the events that a piece completes."""
        kind = piece.WhichOneof("event")
        if kind == "started":
            yield from self._opened(piece.started)
        elif kind == "chunk" and self._reader is not None:
            yield from self._reader.feed(piece.chunk)
        else:
            self._complete = True

    def finish(self) -> Iterator[Event]:
        """Yields the events at the end of the answer."""
        reader = self._reader
        if reader is None:
            return iter(())
        return reader.finish() if self._complete else reader.cut()

    def judge(self, error: DomainError) -> None:
        """Notes that an exchange is on record that ended so, and masks its credential where the provider quotes it."""
        if not self._begun:
            return
        error.recorded = True
        target = self._question.target
        if target is not None and target.mask is not None:
            apply, end = target.mask.apply, target.mask.end  # the words may be cut anywhere
            for name, words in error.metadata.items():
                error.metadata[name] = end(apply(words.encode("utf-8", "replace"))).decode("utf-8", "replace")

    def _opened(self, head: Started) -> Iterator[Event]:
        """Chooses what reads an answer with such a head; yields the first event of one that says that all is well."""
        self._begun = True
        headers = {header.name: header.value for header in head.headers}
        provider = headers.get("x-ingate-served-by", "")
        if 200 <= head.status < 300:
            media, encoding = headers.get("content-type", ""), headers.get("content-encoding", "")
            self._reader = ChatReader(provider, media, encoding)
            yield Event(started=answers.Started(request_id=head.request_id, provider=provider))
        else:
            self._reader = FaultReader(provider, head.status, headers)
