"""Counts the requests of keys and says in trailing metadata how the minute stands, whatever becomes of the call.

Of a call that streams, a gateway is told in initial metadata, too.

Gateways and people are not counted, nor what a gateway asks for a request that was. Does not know where a key's limit
comes from.
"""

from collections.abc import Callable
from typing import Any

from ingate.clock import SECOND
from ingate.errors import RateLimited
from ingate.limits.window import Decision, RateWindows
from ingate.rpc.gateway_metadata import COUNTED, says
from ingate.rpc.incoming import Incoming
from ingate.rpc.interceptors.chain import Call, Stage, Step
from ingate.rpc.interceptors.trailing import add_trailing
from ingate.rpc.principal import principal
from ingate.rpc.services import Rpc


def standing(decision: Decision) -> tuple[tuple[str, str], ...]:
    """Returns the trailing metadata that says how a window stands; the reset is in Unix seconds."""
    return (
        ("x-ratelimit-limit", str(decision.limit)),
        ("x-ratelimit-remaining", str(decision.remaining)),
        ("x-ratelimit-reset", str(decision.reset_us // SECOND)),
    )


def quota(windows: RateWindows, clock: Callable[[], int]) -> Stage:
    """Returns the stage. `clock` gives microseconds since the epoch."""

    def wrap(rpc: Rpc, step: Step) -> Step:
        async def counted(request: Incoming, call: Call) -> Any:
            caller = principal()
            if caller.kind != "key" or says(call.metadata, COUNTED):
                return await step(request, call)
            now = clock()
            decision = windows.spend(caller.key_id, caller.rate_limit, caller.hourly_limit, now)
            if decision is None:
                return await step(request, call)
            pairs = standing(decision)
            add_trailing(call.context, pairs)
            if not decision.allowed:
                raise RateLimited(
                    f"more than {decision.limit} requests in this {decision.word}",
                    metadata={"subject": f"key:{caller.key_id}", "limit": str(decision.limit)},
                    retry_after=(decision.reset_us - now) / SECOND,
                )
            if rpc.server_streaming and not call.told:
                # A gateway answers before the stream ends; callers who were told the call's id have had theirs.
                await call.context.send_initial_metadata(pairs)
            try:
                return await step(request, call)
            finally:
                # Again where it is needed: a handler that sets trailing metadata of its own replaces what was there.
                if not set(pairs) <= set(call.context.trailing_metadata()):
                    add_trailing(call.context, pairs)

        return counted

    return Stage("quota", wrap, after=("authenticate",))
