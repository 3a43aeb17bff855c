"""The tables of identity. Times are microseconds since the epoch; ids are UUIDv7 text."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from ingate.db import Base

ID = String(36)


class Org(Base):
    """A tenant. `founding`: made by the installation's first sign-up, or as its example."""

    __tablename__ = "orgs"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    plan: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[str | None] = mapped_column(ID, index=True)
    founding: Mapped[bool] = mapped_column(Boolean, server_default=false())


class User(Base):
    """A person. `email_key` is the address folded for comparison. `demo`: the owner of the installation's example."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254), unique=True)
    display_name: Mapped[str] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[int] = mapped_column(BigInteger)
    demo: Mapped[bool] = mapped_column(Boolean, server_default=false())


class KnownAddress(Base):
    """An address, or an IPv6 network, from which a person signed in."""

    __tablename__ = "known_addresses"

    user_id: Mapped[str] = mapped_column(ID, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    used_at: Mapped[int] = mapped_column(BigInteger)


class Member(Base):
    """A person's role in an organisation, as the number of `ingate.access.v1.Role`."""

    __tablename__ = "members"

    org_id: Mapped[str] = mapped_column(ID, ForeignKey("orgs.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ID, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[int] = mapped_column(BigInteger)


class Session(Base):
    """A signed-in person, acting in one organisation while there is one. The token is stored as SHA-256."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    user_id: Mapped[str] = mapped_column(ID, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    org_id: Mapped[str | None] = mapped_column(ID, ForeignKey("orgs.id", ondelete="SET NULL"), index=True)
    address: Mapped[str] = mapped_column(String(64), server_default="")
    created_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True)


class Key(Base):
    """A key. `scopes` holds the numbers of `ingate.access.v1.Scope`, comma-separated.

    `created_by` is the person to whom the secret was shown; for a key that a key made, the person behind that one.
    `made_by` is how that one is shown. `format` and `env` are numbers of `ingate.keys.v1`. `metadata_json` is the text
    of an object, empty for none. `fixed`: stated in settings, changed there alone.
    """

    __tablename__ = "keys"
    __table_args__ = (
        Index("ix_keys_org_id_id", "org_id", "id"),
        Index("uq_keys_org_id_external_id", "org_id", "external_id", unique=True),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    org_id: Mapped[str] = mapped_column(ID, ForeignKey("orgs.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    role: Mapped[int] = mapped_column(Integer)
    scopes: Mapped[str] = mapped_column(String(64))
    app_id: Mapped[str | None] = mapped_column(String(64))
    team_id: Mapped[str | None] = mapped_column(String(64))
    rate_limit: Mapped[int | None] = mapped_column(Integer)
    created_by: Mapped[str | None] = mapped_column(ID)
    created_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int | None] = mapped_column(BigInteger)
    last_used_at: Mapped[int | None] = mapped_column(BigInteger)
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)
    format: Mapped[int] = mapped_column(Integer, server_default="1")
    external_id: Mapped[str | None] = mapped_column(String(128))
    preview: Mapped[str | None] = mapped_column(String(64))
    env: Mapped[int] = mapped_column(Integer, server_default="1")
    workspace: Mapped[str] = mapped_column(String(128), server_default="")
    role_label: Mapped[str | None] = mapped_column(String(64))
    permissions: Mapped[list[str] | None] = mapped_column(JSON)
    description: Mapped[str] = mapped_column(String(2000), server_default="")
    metadata_json: Mapped[str] = mapped_column(Text, server_default="")
    active: Mapped[bool] = mapped_column(Boolean, server_default=true())
    hourly_limit: Mapped[int | None] = mapped_column(Integer)
    unlimited: Mapped[bool] = mapped_column(Boolean, server_default=false())
    made_by: Mapped[str | None] = mapped_column(String(128))
    fixed: Mapped[bool] = mapped_column(Boolean, server_default=false())


class Team(Base):
    """People of an organisation who work together."""

    __tablename__ = "teams"
    __table_args__ = (UniqueConstraint("org_id", "name"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    org_id: Mapped[str] = mapped_column(ID, ForeignKey("orgs.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[int] = mapped_column(BigInteger)


class TeamMember(Base):
    """A person in a team; gone with either, and with the person's membership."""

    __tablename__ = "team_members"

    team_id: Mapped[str] = mapped_column(ID, ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ID, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)


class App(Base):
    """A service or project of an organisation."""

    __tablename__ = "apps"
    __table_args__ = (UniqueConstraint("org_id", "name"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    org_id: Mapped[str] = mapped_column(ID, ForeignKey("orgs.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(2000))
    team_id: Mapped[str | None] = mapped_column(ID, ForeignKey("teams.id", ondelete="SET NULL"))
    created_at: Mapped[int] = mapped_column(BigInteger)


class Invitation(Base):
    """An offer to join, one an address. The token is stored as SHA-256; taking it up deletes the row.

    `created_by` is as for keys.
    """

    __tablename__ = "invitations"
    __table_args__ = (UniqueConstraint("org_id", "email_key"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    org_id: Mapped[str] = mapped_column(ID, ForeignKey("orgs.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254))
    role: Mapped[int] = mapped_column(Integer)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_by: Mapped[str | None] = mapped_column(ID)
    created_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)


class AuditEntry(Base):
    """One change to an organisation. Rows are only ever added."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_org_id_created_at_id", "org_id", "created_at", "id"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    org_id: Mapped[str] = mapped_column(ID, ForeignKey("orgs.id", ondelete="CASCADE"))
    actor_id: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    resource_type: Mapped[str] = mapped_column(String(64))
    resource_id: Mapped[str] = mapped_column(String(64))
    meta: Mapped[dict[str, str | int]] = mapped_column(JSON)
    address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[int] = mapped_column(BigInteger)


class Change(Base):
    """News for gateways: what an organisation's keys may do changed, or its policy, or `all`.

    `epoch` counts up by one with every change.
    """

    __tablename__ = "changes"

    epoch: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    org_id: Mapped[str] = mapped_column(ID)
    subject: Mapped[str] = mapped_column(String(8))
    at: Mapped[int] = mapped_column(BigInteger)
