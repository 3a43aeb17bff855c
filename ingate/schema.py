"""Every table, for migrations and for tests that compare them with the migrated database."""

from ingate.core import FEATURES
from ingate.db import Base

TABLES = tuple(table for feature in FEATURES for table in feature.tables)
metadata = Base.metadata
