"""Withdrawals of access tokens.

The release before goes on meanwhile: it does not know the table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "withdrawals",
        sa.Column("restaurant", sa.String, primary_key=True),
        sa.Column("subject_hash", sa.String, primary_key=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("ix_withdrawals_withdrawn_at", "withdrawals", ["withdrawn_at"])


def downgrade() -> None:
    op.drop_table("withdrawals")
