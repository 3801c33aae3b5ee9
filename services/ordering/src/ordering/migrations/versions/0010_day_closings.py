"""The closings of business days, whether days close by themselves, and the unfinished orders.

The release before goes on meanwhile: it leaves the column as it is. No order waits while the index
is made.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE restaurants
        ADD COLUMN IF NOT EXISTS closes_days boolean NOT NULL DEFAULT false
        """
    )
    op.create_table(
        "day_closings",
        sa.Column("restaurant", sa.String, primary_key=True),
        sa.Column("business_day", sa.Date, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("actor", sa.String),
        sa.Column("by", postgresql.JSONB),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("version", sa.Integer, nullable=False),
        if_not_exists=True,
    )
    with op.get_context().autocommit_block():
        # one that was interrupted leaves an index behind that is none
        op.drop_index("orders_unfinished", "orders", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "orders_unfinished",
            "orders",
            ["restaurant", "business_day"],
            postgresql_where=sa.text("status IN ('open', 'cancelling')"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_index("orders_unfinished", "orders")
    op.drop_table("day_closings")
    op.drop_column("restaurants", "closes_days")
