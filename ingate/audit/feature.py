"""What reading the audit log adds to a process. The entries are identity's: every feature writes some."""

from ingate.audit.servicer import AuditServicer
from ingate.feature import Feature

FEATURE = Feature(servicers={"ingate.audit.v1.AuditService": lambda parts: AuditServicer(parts.database)})
