"""One cheap call that shows whether a provider's address and credential work. Knows transports, stores nothing."""

from dataclasses import replace

import msgspec

from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_HTTP
from ingate.proxy.listing import question
from ingate.proxy.ports import Transport, UpstreamError
from ingate.proxy.target import Target

LONGEST = 10.0


async def probe(target: Target, transport: Transport) -> tuple[int | None, str | None]:
    """Returns the status that the provider answered with, if any, and what is wrong, if anything."""
    timeouts = replace(target.timeouts, first_byte=min(LONGEST, target.timeouts.first_byte), idle=LONGEST)
    try:
        response = await transport.send(msgspec.structs.replace(question(target), timeouts=timeouts))
    except UpstreamError as error:
        return None, str(error) or type(error).__name__
    status = response.status
    await response.aclose()
    if status in {401, 403}:
        return status, "the provider refused the credential"
    if status >= 500 or (status >= 400 and target.type != PROVIDER_TYPE_HTTP):
        return status, f"the provider answered {status}"
    return status, None
