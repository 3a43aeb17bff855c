"""Ends streams whose callers may not call any more: a key is revoked or runs out, a session ends, a role is lost.

Each stream is judged again, by the stages that let it in, for as long as it lasts: all those of one caller at once. It
then ends as a call of theirs would. Does not know what these stages look at.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from ingate.errors import DomainError, Forbidden, NotFound, Unauthenticated
from ingate.rpc.incoming import Incoming
from ingate.rpc.interceptors.authenticate import AUTHORIZATION, KEY
from ingate.rpc.interceptors.chain import Call, Stage, Step
from ingate.rpc.services import Rpc

JUDGED_SECONDS = 0.4
"""Between two judgements."""

_REFUSALS = (Unauthenticated, Forbidden, NotFound)
"""What ends a stream. Anything else, such as a database that is away, says nothing about its caller."""
_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Open:
    """A stream that is open, and why it is ended, once it is."""

    judge: Step
    request: Incoming
    call: Call
    task: "asyncio.Task[Any]"
    caller: tuple[Any, ...]
    """What the verdict depends on."""
    refusal: DomainError | None = None


class Standing:
    """The streams of one process. `lasting` are paths of rpcs that are not judged again: what they began ends."""

    def __init__(self, lasting: frozenset[str] = frozenset()) -> None:
        self._lasting = lasting
        self._open: set[_Open] = set()
        self._wanted = asyncio.Event()

    def stage(self, judges: Sequence[Stage]) -> Stage:
        """Returns the stage, given those that let callers in."""

        def wrap(rpc: Rpc, step: Step) -> Step:
            if not rpc.server_streaming or rpc.access.gateway or rpc.access.public or rpc.path in self._lasting:
                return step
            judge: Step = _admitted
            for stage in reversed(judges):
                judge = stage.wrap(rpc, judge)
            field = rpc.tenancy.field

            async def standing(request: Incoming, call: Call) -> Any:
                task = asyncio.current_task()
                assert task is not None
                secrets = call.metadata.get(AUTHORIZATION), call.metadata.get(KEY)
                org_id = getattr(request.message, field) if field else ""
                # In a box of its own, since the servicer takes the message out of the other.
                kept = Incoming(request.message if field else None, request.decoder)
                open_ = _Open(judge, kept, call, task, (rpc.path, org_id, *secrets))
                self._open.add(open_)
                self._wanted.set()
                try:
                    return await step(request, call)
                except asyncio.CancelledError:
                    if open_.refusal is None or task.uncancel():
                        raise
                    raise open_.refusal from None
                finally:
                    self._open.discard(open_)
                    if not self._open:
                        self._wanted.clear()

            return standing

        return Stage("standing", wrap, after=("authenticate", "tenancy", "authorise"))

    async def watch(self) -> None:
        """Judges what is open, for ever."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(JUDGED_SECONDS)
            verdicts: dict[tuple[Any, ...], DomainError | None] = {}
            for open_ in tuple(self._open):
                if open_.caller not in verdicts:
                    # A task has a context of its own: who is judged there is the caller there alone.
                    verdicts[open_.caller] = await asyncio.create_task(_refusal(open_))
                if (refusal := verdicts[open_.caller]) is not None and open_ in self._open:
                    open_.refusal = refusal
                    open_.task.cancel()


async def _admitted(_request: Incoming, _call: Call) -> None:
    """The step behind the judges."""


async def _refusal(open_: _Open) -> DomainError | None:
    try:
        await open_.judge(open_.request, open_.call)
    except _REFUSALS as error:
        return type(error)(error.message, metadata=error.metadata)
    except Exception as error:  # noqa: BLE001 -- one that cannot be judged now is judged again
        _log.warning("stream_not_judged", error=type(error).__name__)
    return None
