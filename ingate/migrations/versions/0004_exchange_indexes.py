"""Indexes of exchanges by session and user end in the id, as the order of lists does.

Code of the version before runs as well on these: nothing but indexes changes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

COLUMNS = ("session_id", "user_id")


def upgrade() -> None:
    """Goes to this version. The new index is there before the old one goes."""
    for column in COLUMNS:
        _create(column, "created_at", "id")
        op.drop_index(f"ix_exchanges_org_id_{column}_created_at", "exchanges")


def downgrade() -> None:
    """Goes back to the version before."""
    for column in COLUMNS:
        _create(column, "created_at")
        op.drop_index(f"ix_exchanges_org_id_{column}_created_at_id", "exchanges")


def _create(column: str, *order: str) -> None:
    present = sa.text(f"{column} IS NOT NULL")
    op.create_index(
        f"ix_exchanges_org_id_{'_'.join((column, *order))}",
        "exchanges",
        ["org_id", column, *order],
        sqlite_where=present,
        postgresql_where=present,
    )
