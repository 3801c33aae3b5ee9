"""The ledger of orders whose guests were forgotten, and in each order when that was.

The release before goes on meanwhile: it leaves both as they are.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN IF NOT EXISTS forgotten_at timestamptz")
    op.create_table(
        "forgotten_orders",
        sa.Column("order_id", sa.Uuid(), primary_key=True),
        sa.Column("restaurant", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True)),
    )


def downgrade() -> None:
    op.drop_table("forgotten_orders")
    op.drop_column("orders", "forgotten_at")
