"""What the tables of identity need in a process: news for gateways, and the times at which keys were used."""

from ingate.feature import Feature, Job
from ingate.identity.tables import (
    App,
    AuditEntry,
    Change,
    Invitation,
    Key,
    KnownAddress,
    Member,
    Org,
    Session,
    Team,
    TeamMember,
    User,
)

FEATURE = Feature(
    jobs=(
        Job("changes.follow", lambda parts, _: parts.changes.follow()),
        Job("last_used.run", lambda parts, _: parts.last_used.run()),
    ),
    tables=(Org, User, KnownAddress, Member, Session, Key, Team, TeamMember, App, Invitation, AuditEntry, Change),
)
