"""Tells the caller the id of its call before anything else, in initial metadata, so that a refused call has it too."""

from typing import Any

from ingate.rpc.incoming import Incoming
from ingate.rpc.interceptors.chain import Call, Stage, Step
from ingate.rpc.services import Rpc


def _wrap(_rpc: Rpc, step: Step) -> Step:
    async def announced(request: Incoming, call: Call) -> Any:
        if call.told:
            await call.context.send_initial_metadata(call.told)
        return await step(request, call)

    return announced


ANNOUNCE = Stage("announce", _wrap, after=("failures", "access_log"))
