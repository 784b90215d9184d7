"""Alembic's entry: runs on the connection, the metadata and the options that it is handed in `config.attributes`."""

from alembic import context

options = {
    **context.config.attributes["options"],
    "target_metadata": context.config.attributes["metadata"],
    "version_table": "tenantry_schema",
    "transaction_per_migration": True,
    "compare_server_default": False,
}

if context.is_offline_mode():
    context.configure(literal_binds=True, dialect_name=context.config.attributes["dialect"], **options)
    with context.begin_transaction():
        context.run_migrations()
else:
    context.configure(
        connection=context.config.attributes["connection"],
        transactional_ddl=True,
        render_as_batch=True,
        **options,
    )
    with context.begin_transaction():
        context.run_migrations()
