"""Refuses requests that break the rules their messages state, naming each field that does. The rules are `rpc.rules`.

What gateways report is checked at the top alone: one odd record among thousands is for the servicer to sort out,
not a reason to refuse them all.
"""

from typing import Any

from ingate.errors import BadRequest
from ingate.rpc.incoming import Incoming, Undecodable
from ingate.rpc.interceptors.chain import Call, Stage, Step
from ingate.rpc.rules import problems
from ingate.rpc.services import Rpc


def _wrap(rpc: Rpc, step: Step) -> Step:
    deep = not rpc.access.gateway

    async def checked(request: Incoming, call: Call) -> Any:
        if not isinstance(request.message, Undecodable) and (found := problems(request.message, deep=deep)):
            name, problem = next(iter(found.items()))
            raise BadRequest(f"{name} {problem}", fields=found)
        return await step(request, call)

    return checked


REQUIRED = Stage("required", _wrap, after=("authorise", "malformed"))
