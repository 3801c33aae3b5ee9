"""The index of the orders whose cancellation the kitchen has not answered.

The release before goes on meanwhile, and no order waits while the index is made; it waits for the
transactions that are older than it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # one that was interrupted leaves an index behind that is none
        op.drop_index("orders_cancelling", "orders", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "orders_cancelling",
            "orders",
            ["id"],
            postgresql_where=sa.text("status = 'cancelling'"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_index("orders_cancelling", "orders")
