"""The index of waiting events by the kind of their aggregate, in place of one by publication.

The release before goes on meanwhile, by `outbox_waiting`, which a later one drops. What was sought
by `outbox_published` is sought by `outbox_kept` since 0003. Nobody waits while an index is made or
dropped; that waits for the transactions that are older than it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # one that was interrupted leaves an index behind that is none
        op.drop_index(
            "outbox_waiting_by_kind", "outbox", if_exists=True, postgresql_concurrently=True
        )
        op.create_index(
            "outbox_waiting_by_kind",
            "outbox",
            ["partition", sa.text("split_part(aggregate, '.', 1)"), "id"],
            postgresql_where=sa.text("sequence IS NULL"),
            postgresql_concurrently=True,
        )
        op.drop_index("outbox_published", "outbox", if_exists=True, postgresql_concurrently=True)


def downgrade() -> None:
    op.create_index("outbox_published", "outbox", ["published_at"])
    op.drop_index("outbox_waiting_by_kind", "outbox")
