"""Entry point of Alembic; the connection comes from :mod:`orchestrator.store.database`."""

from alembic import context

from tvb_nest_cosim.orchestrator.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite cannot alter a table in place; Alembic then copies it.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
