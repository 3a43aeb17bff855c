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


Pairs = tuple[tuple[str, str], ...]


def request_ids(metadata: Mapping[str, str], gateway_token: bytes) -> tuple[str, str, Pairs]:
    """Returns the id of a call, its caller's reference, and the metadata by which the caller finds the call again.

    The reference is "" where there is none that is visible ASCII and short. A gateway knows the id and is told nothing.
    """
    given = metadata.get(REFERENCE)
    token = metadata.get(GATEWAY)
    if token is not None and hmac.compare_digest(token.encode(), gateway_token):
        return (given if given is not None and is_uuid(given) else uuid7()), "", ()
    request_id = uuid7()
    if given is None or not _VISIBLE.fullmatch(given):
        return request_id, "", ((REQUEST_ID, request_id),)
    return request_id, given, ((REQUEST_ID, request_id), (REFERENCE, given))
