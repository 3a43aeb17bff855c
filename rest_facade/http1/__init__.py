"""HTTP/1.1 as the facade receives it: heads, bodies and connections.

Requests that a dialect claims are aiohttp's to read and answer; all others are read and answered here, since the
proxy is the hot path and most of what a web framework makes for each request is not needed there.
"""

from rest_facade.http1.body import Body
from rest_facade.http1.claimed import Claimed, ClaimedServer
from rest_facade.http1.connection import Connection, Limits
from rest_facade.http1.head import Head, Heads, split_target

__all__ = ["Body", "Claimed", "ClaimedServer", "Connection", "Head", "Heads", "Limits", "split_target"]
