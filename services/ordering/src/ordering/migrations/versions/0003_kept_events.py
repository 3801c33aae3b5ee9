"""The index by which events are found that a stream has acknowledged.

The release before goes on meanwhile, by the index `outbox_published`, which a later one drops.
Nobody waits while the index is made; it waits for the transactions that are older than it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # one that was interrupted leaves an index behind that is none
        op.drop_index("outbox_kept", "outbox", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "outbox_kept",
            "outbox",
            ["stream", "published_at", "id"],
            postgresql_where=sa.text("published_at IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_index("outbox_kept", "outbox")
