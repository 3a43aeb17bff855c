"""What of an organisation changed: its keys, its policy, or all."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Goes to this version."""
    op.add_column("changes", sa.Column("subject", sa.String(length=8), nullable=False, server_default="all"))
    with op.batch_alter_table("changes") as batch:
        batch.alter_column("subject", server_default=None)


def downgrade() -> None:
    """Goes back."""
    with op.batch_alter_table("changes") as batch:
        batch.drop_column("subject")
