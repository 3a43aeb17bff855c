"""Every table, for migrations and for tests that compare them with the migrated database."""

from ingate.db import Base
from ingate.exchanges import tables as exchanges
from ingate.identity import tables as identity
from ingate.providers import tables as providers

__all__ = ["exchanges", "identity", "metadata", "providers"]

metadata = Base.metadata
