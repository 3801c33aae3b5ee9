"""Events that can't be published, apart from the outbox.

The release before goes on meanwhile: it does not know the table, and publishes what is behind a
parked event, as it published all but the first of what failed.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "parked_events",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("partition", sa.SmallInteger, nullable=False),
        sa.Column("aggregate", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("headers", postgresql.JSONB, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column(
            "parked_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
    )
    op.create_index("ix_parked_events_aggregate", "parked_events", ["aggregate"])


def downgrade() -> None:
    op.execute(
        "INSERT INTO outbox (id, partition, aggregate, subject, headers, body) "
        "OVERRIDING SYSTEM VALUE "
        "SELECT id, partition, aggregate, subject, headers, body FROM parked_events"
    )
    op.drop_table("parked_events")
