"""Refuses requests that break the rules their messages state, naming each field that does. The rules are `rpc.rules`.

What gateways report is checked at the top alone: one odd record among thousands is for the servicer to sort out,
not a reason to refuse them all.
"""

from collections.abc import AsyncIterator
from typing import Any

from ingate.errors import BadRequest
from ingate.rpc.interceptors.chain import Call, Stage, Step, Undecodable
from ingate.rpc.rules import compiled, problems
from ingate.rpc.services import Rpc


def _wrap(rpc: Rpc, step: Step) -> Step:
    deep = not rpc.access.gateway
    compiled(rpc.request.DESCRIPTOR, deep=deep)

    def check(request: Any) -> None:
        if isinstance(request, Undecodable):
            return
        if found := problems(request, deep=deep):
            name, problem = next(iter(found.items()))
            raise BadRequest(f"{name} {problem}", fields=found)

    async def checked(request: Any, call: Call) -> Any:
        check(request)
        return await step(request, call)

    async def each(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            check(request)
            yield request

    async def checked_stream(requests: AsyncIterator[Any], call: Call) -> Any:
        return await step(each(requests), call)

    return checked_stream if rpc.client_streaming else checked


REQUIRED = Stage("required", _wrap, after=("authorise",))
