"""Restaurants, menus, orders and the outbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "restaurants",
        sa.Column("restaurant", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("time_zone", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "menu_items",
        sa.Column(
            "restaurant", sa.String, sa.ForeignKey("restaurants.restaurant"), primary_key=True
        ),
        sa.Column("sku", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("category", sa.String, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("available", sa.Boolean, nullable=False),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("restaurant", sa.String, sa.ForeignKey("restaurants.restaurant"), nullable=False),
        sa.Column("number", sa.String, nullable=False),
        sa.Column("business_day", sa.Date, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("table", sa.String),
        sa.Column("guests", sa.Integer),
        sa.Column("customer", sa.String),
        sa.Column("phone", sa.String),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("rounds", postgresql.JSONB, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancellation", postgresql.JSONB),
        sa.Column("kitchen", postgresql.JSONB, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index(
        "orders_number", "orders", ["restaurant", "business_day", "number"], unique=True
    )
    op.create_table(
        "days",
        sa.Column(
            "restaurant", sa.String, sa.ForeignKey("restaurants.restaurant"), primary_key=True
        ),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("orders", sa.Integer, nullable=False),
    )
    op.create_table(
        "answers",
        sa.Column("restaurant", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("location", sa.String),
        sa.Column("body", sa.String, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )
    op.create_index("ix_answers_at", "answers", ["at"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("partition", sa.SmallInteger, nullable=False),
        sa.Column("aggregate", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("headers", postgresql.JSONB, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("stream", sa.String),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("published_at", sa.DateTime(timezone=True)),
    )
    op.create_index(
        "outbox_waiting",
        "outbox",
        ["partition", "id"],
        postgresql_where=sa.text("sequence IS NULL"),
    )
    op.create_index("outbox_published", "outbox", ["published_at"])


def downgrade() -> None:
    for table in ("outbox", "answers", "days", "orders", "menu_items", "restaurants"):
        op.drop_table(table)
