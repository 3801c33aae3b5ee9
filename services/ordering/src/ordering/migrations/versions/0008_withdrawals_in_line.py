"""The transaction that wrote a withdrawal, by which replicas find what is new.

The release before goes on meanwhile, and what it writes has its transaction noted, too: a trigger
does that. What was written before has 0, and is read by whoever begins.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "withdrawals", sa.Column("written_by", sa.BigInteger, server_default="0", nullable=False)
    )
    op.create_index("ix_withdrawals_written_by", "withdrawals", ["written_by"])
    op.execute(
        """
        CREATE FUNCTION note_transaction_of_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.written_by := pg_current_xact_id()::text::bigint;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER note_transaction BEFORE INSERT OR UPDATE ON withdrawals
        FOR EACH ROW EXECUTE FUNCTION note_transaction_of_withdrawal()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER note_transaction ON withdrawals")
    op.execute("DROP FUNCTION note_transaction_of_withdrawal()")
    op.drop_column("withdrawals", "written_by")
