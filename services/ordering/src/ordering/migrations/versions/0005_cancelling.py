"""The index of the orders whose cancellation the kitchen has not answered.

The release before goes on meanwhile. Orders wait while the index is made: a second or two for a
million of them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "orders_cancelling",
        "orders",
        ["id"],
        postgresql_where=sa.text("status = 'cancelling'"),
    )


def downgrade() -> None:
    op.drop_index("orders_cancelling", "orders")
