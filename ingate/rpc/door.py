"""What strangers may cost a server that listens: how many of their calls are open, and how much of them is received.

No message is received before its caller is judged. Until then gRPC's flow control keeps all but its first 64 KiB at
the sender. Knows no rpc.
"""

from ingate.rpc.connect import MAX_MESSAGE_BYTES
from ingate.rpc.gate import Gate
from ingate.rpc.places import Places

MESSAGE_BYTES = 1024 * 1024
"""Bytes of a request at most, where an rpc has no other limit."""

SECONDS = 5.0
"""Within which a request of MESSAGE_BYTES must arrive."""

LARGE_SECONDS = 30.0
"""Within which a larger one must."""

_RECEIVED_BYTES = 192 * 1024 * 1024


class Door:
    """The bounds of one process. `max_message_bytes` is the largest request of any rpc."""

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self.max_message_bytes = max_message_bytes
        most = min(max(_RECEIVED_BYTES // max_message_bytes, 4), 64)
        self.requests = Gate(most, patience=0.5, waiting=2048, share=1024)
        """Requests of callers whose credential was accepted, by organisation."""
        self.strangers = Gate(3, patience=0.1, waiting=64, share=16)
        """Requests to rpcs that ask for no credential, by address."""
        self.tools = Gate(2, patience=0.1, waiting=64, share=16)
        """Requests to the services that any gRPC server has, by address."""
        self.unjudged = Places(4096, 1024)
        """Calls whose credential was not accepted yet, by address."""
        self.open = Places(256, 64)
        """Calls of rpcs that ask for no credential, by address."""
        self.watches = Places(256, 64)
        """Streams of the services that any gRPC server has, by address."""

    def cut(self) -> None:
        """Ends all calls whose caller showed no credential that was accepted."""
        for places in (self.unjudged, self.open, self.watches):
            places.cut()
