"""Prediction log.

Revision: 0001
Previous: none
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prediction_log",
        sa.Column("id", sa.Uuid, primary_key=True, comment="set by the app: a retry adds no row"),
        sa.Column("request_id", sa.Text, nullable=False, comment="the X-Request-ID of the answer"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("app_version", sa.Text, nullable=False),
        sa.Column("model_name", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("input_hash", sa.Text, nullable=False, comment="keyed hash of the row"),
        sa.Column("inputs", postgresql.JSONB, nullable=False),
        sa.Column("prediction", postgresql.JSONB, nullable=False),
        sa.Column("cached", sa.Boolean, nullable=False),
        sa.Column("latency_ms", sa.Double, nullable=False, comment="of the whole request"),
        comment="One row per prediction given.",
    )
    op.create_index("prediction_log_created_at", "prediction_log", ["created_at"])
    op.create_index("prediction_log_request_id", "prediction_log", ["request_id"])


def downgrade() -> None:
    op.drop_table("prediction_log")
