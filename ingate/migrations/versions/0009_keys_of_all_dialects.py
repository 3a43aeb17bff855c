"""What keys of all dialects have: a format, an id of choice, a workspace, words of the dialect, an off switch."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def _columns() -> tuple[sa.Column[Any], ...]:
    """Returns new columns: one that was added to a table belongs to it."""
    return (
        sa.Column("format", sa.Integer(), server_default="1", nullable=False),
        sa.Column("external_id", sa.String(length=128), nullable=True),
        sa.Column("preview", sa.String(length=64), nullable=True),
        sa.Column("env", sa.Integer(), server_default="1", nullable=False),
        sa.Column("workspace", sa.String(length=128), server_default="", nullable=False),
        sa.Column("role_label", sa.String(length=64), nullable=True),
        sa.Column("permissions", sa.JSON(), nullable=True),
        sa.Column("description", sa.String(length=2000), server_default="", nullable=False),
        sa.Column("metadata_json", sa.Text(), server_default="", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("hourly_limit", sa.Integer(), nullable=True),
        sa.Column("unlimited", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("made_by", sa.String(length=128), nullable=True),
        sa.Column("fixed", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def upgrade() -> None:
    """Goes to this version."""
    for column in _columns():
        op.add_column("keys", column)
    # An index in place of a constraint: SQLite adds one to a table that is there.
    op.create_index("uq_keys_org_id_external_id", "keys", ["org_id", "external_id"], unique=True)


def downgrade() -> None:
    """Goes back."""
    op.drop_index("uq_keys_org_id_external_id", table_name="keys")
    for column in reversed(_columns()):
        op.drop_column("keys", column.name)
