"""One cheap call that shows whether a provider's address and credential work. Knows transports, stores nothing."""

import time
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_HTTP
from gen.ingate.providers.v1.provider_service_pb2 import TestProviderResponse
from gen.ingate.providers.v1.route_pb2 import Route
from ingate.net.addresses import AddressPolicy
from ingate.proxy.listing import question
from ingate.proxy.ports import Timeouts, Transport, UpstreamError
from ingate.proxy.target import Target, compile_target

LONGEST = 10.0


async def tried(
    route: Route, policy: AddressPolicy, transports: Mapping[bool, Transport], *, org: str = ""
) -> TestProviderResponse:
    """Returns how one call to a provider went. Raises BadRequest where its address may not be called."""
    target = compile_target(route, Timeouts(connect=5.0), policy, transports, org=org)
    started = time.perf_counter()
    status, error = await probe(target)
    latency = round((time.perf_counter() - started) * 1000, 3)
    return TestProviderResponse(ok=error is None, status_code=status, latency_ms=latency, error=error)


async def probe(target: Target) -> tuple[int | None, str | None]:
    """Returns the status that the provider answered with, if any, and what is wrong, if anything."""
    timeouts = replace(target.timeouts, first_byte=min(LONGEST, target.timeouts.first_byte), idle=LONGEST)
    try:
        response = await target.transport.send(msgspec.structs.replace(question(target), timeouts=timeouts))
    except UpstreamError as error:
        return None, str(error) or type(error).__name__
    status = response.status
    await response.aclose()
    if status in {401, 403}:
        return status, "the provider refused the credential"
    if status >= 500 or (status >= 400 and target.type != PROVIDER_TYPE_HTTP):
        return status, f"the provider answered {status}"
    return status, None
