"""What keys add to a process."""

from ingate.feature import Feature
from ingate.keys.servicer import KeyServicer

FEATURE = Feature(servicers={"ingate.keys.v1.KeyService": lambda parts: KeyServicer(parts.database, parts.changes)})
