"""Who made organisations and invitations, which organisation came first, and where people signed in."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# Organisations that were there before say who made them by their audit entry alone.
_MAKERS = """
    UPDATE orgs SET created_by = (
        SELECT max(actor_id) FROM audit_entries
        WHERE audit_entries.org_id = orgs.id AND audit_entries.action = 'org.create' AND length(actor_id) <= 36
    )
"""
_FIRST = "UPDATE orgs SET founding = true WHERE id = (SELECT id FROM orgs ORDER BY created_at, id LIMIT 1)"


def upgrade() -> None:
    """Goes to this version."""
    op.create_table(
        "known_addresses",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_known_addresses_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "address", name=op.f("pk_known_addresses")),
    )
    op.add_column("users", sa.Column("demo", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("orgs", sa.Column("created_by", sa.String(length=36), nullable=True))
    op.add_column("orgs", sa.Column("founding", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(op.f("ix_orgs_created_by"), "orgs", ["created_by"], unique=False)
    op.add_column("invitations", sa.Column("created_by", sa.String(length=36), nullable=True))
    op.execute(_MAKERS)
    op.execute(_FIRST)


def downgrade() -> None:
    """Goes back to the version before."""
    # Column by column: on SQLite a batch would drop the tables, and with them the rows that refer to theirs.
    op.drop_column("invitations", "created_by")
    op.drop_index(op.f("ix_orgs_created_by"), table_name="orgs")
    op.drop_column("orgs", "founding")
    op.drop_column("orgs", "created_by")
    op.drop_column("users", "demo")
    op.drop_table("known_addresses")
