"""What Alembic runs for every command: it works on the connection that `ingate.migrate` hands over."""

from alembic import context

from ingate.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
