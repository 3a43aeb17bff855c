"""One log line for each rpc: which, how it ended, how long it took, for whom. Never what was said."""

import asyncio
import time
from typing import Any

import grpc
import structlog

from ingate.errors import DomainError
from ingate.rpc.incoming import Incoming
from ingate.rpc.interceptors.chain import Call, Stage, Step
from ingate.rpc.interceptors.failures import caller_left
from ingate.rpc.principal import principal
from ingate.rpc.services import Rpc
from ingate.rpc.status import code_of

_log = structlog.get_logger(__name__)
_QUIET = frozenset({"GetHealth"})
"""Rpcs that monitoring calls every few seconds."""
_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


def _stated(context: Any) -> str:
    """Returns the code that the handler itself has set; `OK` where none."""
    code = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else _NAMES.get(code or 0, "UNKNOWN")


def _wrap(rpc: Rpc, step: Step) -> Step:
    name = rpc.path[1:]
    # What gateways ask of the core is as frequent as their traffic, and nobody's request.
    write = _log.debug if rpc.access.gateway or rpc.name in _QUIET else _log.info

    async def access_log(request: Incoming, call: Call) -> Any:
        started = time.perf_counter()
        code, why = "INTERNAL", {}
        try:
            response = await step(request, call)
            code = _stated(call.context)
        except DomainError as error:
            code, why = code_of(error).name, {"why": error.message}
            raise
        except grpc.aio.AbortError:
            code = _stated(call.context)
            raise
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except Exception as error:
            code = "CANCELLED" if caller_left(error) else code
            raise
        finally:
            caller = principal()
            reference = {"client_request_id": call.client_request_id} if call.client_request_id else {}
            write(
                "rpc",
                rpc=name,
                code=code,
                ms=round((time.perf_counter() - started) * 1000, 3),
                org_id=caller.org_id,
                key_id=caller.key_id,
                request_id=call.request_id,
                **reference,
                **why,
            )
        return response

    return access_log


ACCESS_LOG = Stage("access_log", _wrap, after=("failures",))
