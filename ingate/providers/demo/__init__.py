"""The built-in demo provider: a deterministic model that answers in process what a vendor would answer over HTTP.

Knows the vendors' wire formats from the answering side and `ports.Transport`;
knows neither the engine that calls it nor any database, key or socket.
"""

from ingate.providers.demo.names import Roster
from ingate.providers.demo.transport import DemoTransport

__all__ = ["DemoTransport", "Roster"]
