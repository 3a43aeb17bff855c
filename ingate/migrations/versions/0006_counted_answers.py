"""Which exchange counts an answer that states its usage whenever it is asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Goes to this version."""
    op.create_table(
        "counted_answers",
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("provider", sa.String(length=256), nullable=False),
        sa.Column("answer_id", sa.String(length=256), nullable=False),
        sa.Column("exchange_id", sa.String(length=36), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_counted_answers_org_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("org_id", "provider", "answer_id", name=op.f("pk_counted_answers")),
    )
    op.create_index(op.f("ix_counted_answers_stored_at"), "counted_answers", ["stored_at"])


def downgrade() -> None:
    """Goes back."""
    op.drop_table("counted_answers")
