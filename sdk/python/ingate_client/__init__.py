"""Client of the Ingate LLM gateway's REST API: `Ingate`, and `AsyncIngate` for asyncio."""

from ingate_client import errors, types
from ingate_client._calls import UNSET, UnsetType
from ingate_client._events import Event
from ingate_client.async_client import AsyncIngate
from ingate_client.client import Ingate

__all__ = ["UNSET", "AsyncIngate", "Event", "Ingate", "UnsetType", "errors", "types"]
