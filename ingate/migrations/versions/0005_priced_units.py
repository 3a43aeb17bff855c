"""Priced units, whose price and whose count it was, what the provider said of a failure."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

COLUMNS = (
    ("units", lambda: sa.Column("units", sa.Text(), nullable=False, server_default="{}")),
    ("cost_source", lambda: sa.Column("cost_source", sa.Integer(), nullable=False, server_default="0")),
    ("usage_source", lambda: sa.Column("usage_source", sa.Integer(), nullable=False, server_default="0")),
    ("error_message", lambda: sa.Column("error_message", sa.Text(), nullable=True)),
)


def upgrade() -> None:
    """Goes to this version. SQLite copies the table, so that the payload stays behind every other column."""
    if op.get_bind().dialect.name != "sqlite":
        for _, column in COLUMNS:
            op.add_column("exchanges", column())
        return
    before = "tags"
    with op.batch_alter_table("exchanges", schema=None, recreate="always") as batch_op:
        for name, column in COLUMNS:
            batch_op.add_column(column(), insert_after=before)
            before = name


def downgrade() -> None:
    """Goes back."""
    with op.batch_alter_table("exchanges", schema=None) as batch_op:
        for name, _ in reversed(COLUMNS):
            batch_op.drop_column(name)
