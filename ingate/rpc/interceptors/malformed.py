"""Refuses requests that a gateway could not make into messages, once it is known that their callers may call.

A gateway sends these all the same, with as much of the message as there is: whoever shows no good credential, or may
not do this, is to hear of that before anything else, and the call counts as any other.
"""

from typing import Any

from ingate.errors import BadRequest
from ingate.rpc.gateway_metadata import FOUND_MALFORMED, MALFORMED, says
from ingate.rpc.incoming import Incoming
from ingate.rpc.interceptors.chain import Call, Stage, Step
from ingate.rpc.services import Rpc


class FoundMalformed(BadRequest):
    """The gateway knows what is wrong with the request."""

    reason = FOUND_MALFORMED


def _wrap(_rpc: Rpc, step: Step) -> Step:
    async def wellformed(request: Incoming, call: Call) -> Any:
        if says(call.metadata, MALFORMED):
            raise FoundMalformed(f"the gateway found the request malformed: {call.metadata[MALFORMED]}")
        return await step(request, call)

    return wellformed


MALFORMED_REQUESTS = Stage("malformed", _wrap, after=("authenticate", "authorise"))
