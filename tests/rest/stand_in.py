"""A stand-in for the core: every rpc of the real services, served over a socket by functions that tests give."""

import grpc
from google.protobuf.message_factory import GetMessageClass

from ingate.errors import DomainError
from ingate.rpc.gateway_metadata import COUNTED, MALFORMED
from ingate.rpc.interceptors.malformed import FoundMalformed
from ingate.rpc.status import DETAILS_KEY, code_of, to_status
from rest_facade import services


class StandIn:
    """Answers each rpc with what `answers` has for its full name: a message, an error to raise, or a function.

    Without one, with an empty response or stream; malformed requests are refused as such. An rpc that streams answers
    with what an asynchronous generator yields and raises. Keeps rpc, request and metadata of the last call that is none
    of these, and not one that only asks whether something is there.
    """

    def __init__(self):
        self.answers = {}
        self.trailing = ()
        self.rpc = ""
        self.request = None
        self.metadata = {}

    def handlers(self):
        """Returns generic handlers of all services."""
        by_service = {}
        for method in services.methods().values():
            if not method.client_streaming:
                make = self._streamer if method.server_streaming else self._handler
                by_service.setdefault(method.containing_service.full_name, {})[method.name] = make(method)
        return [grpc.method_handlers_generic_handler(name, methods) for name, methods in by_service.items()]

    def _handler(self, method):
        request_class, response_class = GetMessageClass(method.input_type), GetMessageClass(method.output_type)

        async def handle(request, context):
            await self._note(method, request, context)
            answer = self.answers.get(method.full_name, response_class())
            if callable(answer) and not isinstance(answer, response_class):
                answer = await answer(request, context)
            if isinstance(answer, DomainError):
                await self._abort(answer, context)
            if isinstance(answer, Exception):
                raise answer
            context.set_trailing_metadata(self.trailing)
            return answer

        return grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=request_class.FromString,
            response_serializer=response_class.SerializeToString,
        )

    def _streamer(self, method):
        request_class, response_class = GetMessageClass(method.input_type), GetMessageClass(method.output_type)

        async def stream(request, context):
            await self._note(method, request, context)
            answer = self.answers.get(method.full_name)
            if isinstance(answer, DomainError):
                await self._abort(answer, context)
            if self.trailing:
                await context.send_initial_metadata(self.trailing)
            try:
                async for message in answer(request, context) if answer else _nothing():
                    yield message
            except DomainError as error:
                await self._abort(error, context)

        return grpc.unary_stream_rpc_method_handler(
            stream,
            request_deserializer=request_class.FromString,
            response_serializer=response_class.SerializeToString,
        )

    async def _note(self, method, request, context):
        metadata = dict(context.invocation_metadata())
        if MALFORMED in metadata:
            await self._abort(FoundMalformed("malformed"), context)
        if COUNTED not in metadata:
            self.rpc, self.request, self.metadata = method.full_name, request, metadata

    async def _abort(self, error, context):
        details = (DETAILS_KEY, to_status(error).SerializeToString())
        await context.abort(code_of(error), error.message, (*self.trailing, details))


async def _nothing():
    for message in ():
        yield message
