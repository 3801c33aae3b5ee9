"""The hour at which a restaurant's business days begin.

The release before goes on meanwhile: it reads and writes its own columns by name, new restaurants
get midnight by default, and PostgreSQL need not rewrite the table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "restaurants", sa.Column("day_begins", sa.Time, server_default="00:00", nullable=False)
    )
    op.add_column("restaurants", sa.Column("day_begins_since", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("restaurants", "day_begins_since")
    op.drop_column("restaurants", "day_begins")
