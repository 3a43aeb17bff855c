"""Tells of calls of some rpcs that are refused, wherever in the chain or behind it. Knows no reason."""

from collections.abc import Callable, Container
from typing import Any

from ingate.errors import DomainError, Unauthenticated
from ingate.rpc.interceptors.authenticate import credential
from ingate.rpc.interceptors.chain import Call, Stage, Step
from ingate.rpc.peer import peer_address
from ingate.rpc.principal import principal
from ingate.rpc.services import Rpc

Note = Callable[[str, str, str, str], None]
"""Takes a reason, the caller's secret and address, and what the caller is told."""


def refusals(paths: Container[str], note: Note) -> Stage:
    """Returns the stage: `note` hears of each DomainError of the rpcs at `paths` that is not on record."""

    def wrap(rpc: Rpc, step: Step) -> Step:
        if rpc.path not in paths:
            return step

        async def noted(request: Any, call: Call) -> Any:
            try:
                return await step(request, call)
            except DomainError as error:
                if not error.recorded:
                    address = principal().address or peer_address(call.context.peer())
                    note(error.reason, _secret(call), address, error.message)
                raise

        return noted

    return Stage("refusals", wrap, after=("failures", "access_log"))


def _secret(call: Call) -> str:
    try:
        return credential(call.metadata) or ""
    except Unauthenticated:
        return ""
