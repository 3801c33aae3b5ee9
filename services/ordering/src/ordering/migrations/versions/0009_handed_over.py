"""What the kitchen's verdicts are as of, and the index of orders that will close by themselves.

The release before goes on meanwhile: it leaves both columns as they are, and closes an order with
its last round. No order waits while the index is made.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE orders
        ADD COLUMN IF NOT EXISTS kitchen_tickets jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN IF NOT EXISTS handed_over_at timestamptz
        """
    )
    with op.get_context().autocommit_block():
        # one that was interrupted leaves an index behind that is none
        op.drop_index("orders_handed_over", "orders", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "orders_handed_over",
            "orders",
            ["handed_over_at"],
            postgresql_where=sa.text("status = 'open' AND handed_over_at IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_index("orders_handed_over", "orders")
    op.drop_column("orders", "handed_over_at")
    op.drop_column("orders", "kitchen_tickets")
