"""Runs and their states."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table of runs."""
    op.create_table(
        "runs",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("label", sa.String(200)),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("cause", sa.Text),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True)),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.Column("windows", sa.Integer, nullable=False),
        sa.Column("windows_total", sa.Integer, nullable=False),
        sa.Column("duration_ms", sa.Float, nullable=False),
        sa.Column("wall_s", sa.Float),
        sa.Column("digest", sa.String(64)),
        sa.Column("faults", sa.JSON),
        sa.Column("experiment", sa.JSON, nullable=False),
    )
    op.create_index("ix_runs_state_number", "runs", ["state", "number"])


def downgrade() -> None:
    """Drops the table of runs."""
    op.drop_table("runs")
