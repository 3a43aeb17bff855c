"""The upstream HTTP/1.1 client: a keep-alive pool that is a `Transport`.

Knows no provider, no format and no retry policy.
"""

from ingate.proxy.upstream.pool import UpstreamPool
from ingate.proxy.upstream.tls import client_context

__all__ = ["UpstreamPool", "client_context"]
