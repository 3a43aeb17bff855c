"""In which order exchanges are stored.

Code of the version before runs as well on these: what it stores is told to nobody.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Goes to this version."""
    op.create_table(
        "exchange_arrivals",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("org_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("ids", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_exchange_arrivals_org_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_exchange_arrivals")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_exchange_arrivals_org_id_number", "exchange_arrivals", ["org_id", "number"])
    op.create_index(op.f("ix_exchange_arrivals_at"), "exchange_arrivals", ["at"])


def downgrade() -> None:
    """Goes back."""
    op.drop_table("exchange_arrivals")
