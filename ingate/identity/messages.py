"""Identity rows as the messages that describe them."""

from gen.ingate.auth.v1 import user_pb2
from gen.ingate.keys.v1 import key_pb2
from gen.ingate.orgs.v1 import organization_pb2
from ingate import clock
from ingate.identity.scopes import unpack
from ingate.identity.tables import Key, Org, User


def organization(row: Org) -> organization_pb2.Organization:
    """Returns the message for an organisation."""
    return organization_pb2.Organization(
        id=row.id, slug=row.slug, name=row.name, plan=row.plan, created_at=clock.to_proto(row.created_at)
    )


def user(row: User) -> user_pb2.User:
    """Returns the message for a person."""
    return user_pb2.User(
        id=row.id, email=row.email, display_name=row.display_name, created_at=clock.to_proto(row.created_at)
    )


def key(row: Key) -> key_pb2.Key:
    """Returns the message for a key."""
    return key_pb2.Key(
        id=row.id,
        name=row.name,
        hash_prefix=row.secret_hash.hex()[:8],
        role=row.role,
        scopes=sorted(unpack(row.scopes)),
        app_id=row.app_id,
        team_id=row.team_id,
        rate_limit_per_minute=row.rate_limit,
        expires_at=clock.to_proto(row.expires_at),
        created_at=clock.to_proto(row.created_at),
        last_used_at=clock.to_proto(row.last_used_at),
        revoked_at=clock.to_proto(row.revoked_at),
        org_id=row.org_id,
        format=row.format,
        external_id=row.external_id,
        preview=row.preview,
        env=row.env,
        workspace=row.workspace,
        role_label=row.role_label,
        permissions=row.permissions,
        description=row.description,
        metadata=row.metadata_json.encode(),
        active=row.active,
        rate_limit_per_hour=row.hourly_limit,
        unlimited=row.unlimited,
        created_by=row.made_by or row.created_by,
        fixed=row.fixed,
    )
