"""The index by which events are found that a stream has acknowledged.

The release before goes on meanwhile, by the index `outbox_published`, which a later one drops.
Commands wait while the index is made: a fraction of a second, since events are kept for minutes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "outbox_kept",
        "outbox",
        ["stream", "published_at", "id"],
        postgresql_where=sa.text("published_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("outbox_kept", "outbox")
