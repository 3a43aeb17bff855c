"""What a gateway that proves itself says of a call in metadata. Of others it says nothing."""

from collections.abc import Mapping

from ingate.rpc.request_ids import GATEWAY

MALFORMED = "x-ingate-malformed"
"""The request could not be made into a message; the value is the reason. Only whether the caller may call is asked."""
SCOPES = "x-ingate-scopes"
"""The words of scopes, separated by commas, of which a key must hold one beside what the rpc asks for."""
COUNTED = "x-ingate-counted"
"""The request that the call serves was counted already."""
FOUND_MALFORMED = "FOUND_MALFORMED"
"""The reason of the refusal of such a request, which the gateway has its own words for."""


def says(metadata: Mapping[str, str], name: str) -> bool:
    """Tells whether a gateway says this of the call. The gateway token has been checked."""
    return name in metadata and GATEWAY in metadata
