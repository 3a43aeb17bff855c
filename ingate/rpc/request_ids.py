"""Ids of calls. Each is made here; what a caller calls its request is a reference, for its logs and for ours.

A gateway that proves itself has made the id already, and hands it on. Knows metadata; not who calls.
"""

import hmac
import re
from collections.abc import Mapping

from ingate.ids import is_uuid, uuid7

GATEWAY = "x-ingate-gateway"
REFERENCE = "x-request-id"
REQUEST_ID = "x-ingate-request-id"

_VISIBLE = re.compile(r"[!-~]{1,128}")


def request_ids(metadata: Mapping[str, str], gateway_token: bytes) -> tuple[str, str]:
    """Returns the id of a call and its caller's reference, "" where there is none that is visible ASCII and short."""
    given = metadata.get(REFERENCE)
    if given is None:
        return uuid7(), ""
    token = metadata.get(GATEWAY)
    if token is not None and hmac.compare_digest(token.encode(), gateway_token):
        return (given, "") if is_uuid(given) else (uuid7(), "")
    return uuid7(), given if _VISIBLE.fullmatch(given) else ""


def answered(metadata: Mapping[str, str], request_id: str, reference: str) -> tuple[tuple[str, str], ...]:
    """Returns the trailing metadata by which a caller finds its call again. A gateway knows the id."""
    if GATEWAY in metadata:
        return ()
    return ((REQUEST_ID, request_id), (REFERENCE, reference)) if reference else ((REQUEST_ID, request_id),)
