"""Lets calls in, and receives their requests once it is known who calls.

Two stages of servers that listen: inside one process a request is there before its call begins.
"""

from functools import partial
from typing import Any

from ingate.rpc.door import LARGE_SECONDS, MESSAGE_BYTES, SECONDS, Door
from ingate.rpc.incoming import Incoming
from ingate.rpc.interceptors.authorise import permit, permit_credential
from ingate.rpc.interceptors.chain import Call, Stage, Step
from ingate.rpc.interceptors.tenancy import names_organisation
from ingate.rpc.peer import peer_address
from ingate.rpc.principal import principal
from ingate.rpc.services import Rpc


def admit(door: Door) -> Stage:
    """Returns the stage that bounds the calls for which nobody answers."""

    def wrap(rpc: Rpc, step: Step) -> Step:
        places = door.open if rpc.access.public else door.unjudged

        async def admitted(request: Incoming, call: Call) -> Any:
            async with places.place(peer_address(call.context.peer())) as place:
                request.place = place
                return await step(request, call)

        return admitted

    return Stage("admit", wrap, after=("failures", "access_log"))


def receive(door: Door) -> Stage:
    """Returns the stage that receives the request, if the rpc is open to its caller whatever the request says."""

    def wrap(rpc: Rpc, step: Step) -> Step:
        access, depends = rpc.access, names_organisation(rpc)

        async def received(request: Incoming, call: Call) -> Any:
            seconds = SECONDS if request.decoder.limit <= MESSAGE_BYTES else LARGE_SECONDS
            caller = principal()
            if depends:
                permit_credential(caller)
            else:
                permit(access, caller)
            if caller.kind == "anonymous":
                gate, owner = door.strangers, caller.address
            else:
                if request.place is not None:
                    request.place.leave()
                gate, owner = door.requests, caller.org_id or caller.user_id
            await gate.read(owner, partial(request.receive, call.context), seconds)
            return await step(request, call)

        return received

    return Stage("receive", wrap, after=("admit", "authenticate"))
