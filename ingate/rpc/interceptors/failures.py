"""Failures become statuses here, and nowhere else.

A DomainError becomes the status that says what it says. Anything else is our fault: it is logged with its traceback
and answered in one fixed sentence, for gRPC would send the exception's own text. Cancellation and a handler's own
abort pass, and so does what a handler raises once its caller has left.
"""

import asyncio
from typing import Any

import grpc
import structlog

from ingate.errors import DomainError
from ingate.rpc.incoming import Incoming
from ingate.rpc.interceptors.chain import Call, Stage, Step
from ingate.rpc.interceptors.trailing import trailing
from ingate.rpc.services import Rpc
from ingate.rpc.status import DETAILS_KEY, INTERNAL_MESSAGE, code_of, to_status

_log = structlog.get_logger(__name__)


async def _abort(call: Call, error: DomainError) -> None:
    status = to_status(error)
    pairs = trailing(call.context, ((DETAILS_KEY, status.SerializeToString()),))
    await call.context.abort(code_of(error), status.message, pairs)


def caller_left(error: Exception) -> bool:
    """Tells whether a failure is only that nobody waits for the answer: its caller has cancelled, or is gone."""
    task = asyncio.current_task()
    return isinstance(error, grpc.aio.InternalError) or (task is not None and task.cancelling() > 0)


def _wrap(rpc: Rpc, step: Step) -> Step:
    async def failures(request: Incoming, call: Call) -> Any:
        try:
            return await step(request, call)
        except grpc.aio.AbortError:
            raise
        except DomainError as error:
            # Its traceback holds this frame, which holds it: a circle that would keep all that the call had in hand,
            # until the collector comes by.
            failure = error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 -- the one place that catches whatever else there is
            if caller_left(error):
                raise asyncio.CancelledError from None
            _log.exception("rpc failed unexpectedly", rpc=rpc.path[1:], request_id=call.request_id)
            failure = DomainError(INTERNAL_MESSAGE, metadata={"request_id": call.request_id})
        # Outside of the handlers, so that what was caught does not hang on the abort as its context.
        return await _abort(call, failure)

    return failures


FAILURES = Stage("failures", _wrap)
