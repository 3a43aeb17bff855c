"""The same interceptors run in the same order, and may wrap, refuse and fail."""

import contextvars

import grpc

from tests.support.transports import SERVICE, failure, text, values

_user = contextvars.ContextVar("user", default="nobody")


class Recorder(grpc.aio.ServerInterceptor):
    def __init__(self, name, log):
        self._name = name
        self._log = log

    async def intercept_service(self, continuation, handler_call_details):
        self._log.append((self._name, handler_call_details.method, dict(handler_call_details.invocation_metadata)["k"]))
        handler = await continuation(handler_call_details)
        self._log.append(f"after {self._name}")
        return handler


class Wrapper(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation, handler_call_details):
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        serialisers = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.response_streaming:

            async def many(request, context):
                async for response in handler.unary_stream(request, context):
                    response.value = f"[{response.value}]"
                    yield response

            return grpc.unary_stream_rpc_method_handler(many, **serialisers)

        async def one(request, context):
            response = await handler.unary_unary(request, context)
            response.value = f"[{response.value}]"
            return response

        return grpc.unary_unary_rpc_method_handler(one, **serialisers)


async def _echo(request, _context):
    return request


async def test_interceptors_run_first_to_last_around_the_lookup(connect):
    """Each sees method and metadata, and its continuation is the next one."""
    log = []
    async with connect(interceptors=[Recorder("a", log), Recorder("b", log)], Ask=_echo) as stub:
        await stub.Ask(text(""), metadata=(("k", "v"),))
    method = f"/{SERVICE}/Ask"
    assert log == [("a", method, "v"), ("b", method, "v"), "after b", "after a"]


async def test_an_interceptor_may_wrap_handlers(connect):
    """Wrapped handlers, unary and streaming, serve the call; the outermost wraps last."""

    async def list_(request, _context):
        yield text(request.value)
        yield text(request.value)

    async with connect(interceptors=[Wrapper(), Wrapper()], Ask=_echo, List=list_) as stub:
        assert (await stub.Ask(text("x"))).value == "[[x]]"
        assert await values(stub.List(text("x"))) == ["[[x]]", "[[x]]"]


async def test_interceptors_see_unknown_methods(connect):
    """An unknown method passes the interceptors too, and their continuation gives None."""
    log = []
    async with connect(interceptors=[Recorder("a", log), Wrapper()]) as stub:
        error = await failure(stub.Nowhere(text(""), metadata=(("k", "v"),)))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert log == [("a", f"/{SERVICE}/Nowhere", "v"), "after a"]


async def test_an_interceptor_may_refuse_by_answering_itself(connect):
    """A handler an interceptor puts in place of the real one aborts the call."""

    class Refuse(grpc.aio.ServerInterceptor):
        async def intercept_service(self, _continuation, _handler_call_details):
            async def refuse(_request, context):
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you", (("why", "no key"),))

            return grpc.unary_unary_rpc_method_handler(refuse)

    async with connect(interceptors=[Refuse()], Ask=_echo) as stub:
        error = await failure(stub.Ask(text("")))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAUTHENTICATED, "who are you")
    assert tuple(error.trailing_metadata()) == (("why", "no key"),)


async def test_an_interceptor_that_raises_fails_the_call(connect):
    """An exception in an interceptor is UNKNOWN with its text."""

    class Broken(grpc.aio.ServerInterceptor):
        async def intercept_service(self, _continuation, _handler_call_details):
            raise LookupError("lost")

    async with connect(interceptors=[Broken()], Ask=_echo) as stub:
        error = await failure(stub.Ask(text("")))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNKNOWN, "Unexpected <class 'LookupError'>: lost")


async def test_the_handler_sees_the_interceptors_context_variables(connect):
    """Interceptors and handler share the call's context; the next call starts afresh."""

    class SetUser(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation, handler_call_details):
            for key, value in handler_call_details.invocation_metadata:
                if key == "user":
                    _user.set(value)
            return await continuation(handler_call_details)

    async def ask(_request, _context):
        return text(_user.get())

    async with connect(interceptors=[SetUser()], Ask=ask) as stub:
        assert (await stub.Ask(text(""), metadata=(("user", "ann"),))).value == "ann"
        assert (await stub.Ask(text(""))).value == "nobody"
