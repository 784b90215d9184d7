"""What can be known to be wrong with the tables of an author's own module before a database is asked."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from tenantry.product import Finding

from .database.revision import newest
from .database.tables import Base
from .database.types import IdList, PortableType, TextList
from .module import Module
from .policies import Policy, Role

NAME_LENGTH_MAX = 27
"""With four digits behind it, a revision's name has room for 32 characters."""


def check_tables(modules: Sequence[object]) -> Iterator[Finding]:
    """Everything that is wrong with the modules' own tables and their migrations, each with its fix."""
    for index, module in enumerate(modules):
        if isinstance(module, Module) and (module.tables or module.migrations):
            where = f"modules[{index}]"
            yield from _check_migrations(module, where)
            for table in module.tables:
                yield from _check_table(table, where)


def _check_migrations(module: Module, where: str) -> Iterator[Finding]:
    history = module.history
    if history is None:
        fix = 'Say where its migrations are: migrations=Path(__file__).parent / "migrations".'
        yield Finding("error", f"{where}.migrations", f"{module.name} has tables and no folder of migrations.", fix)
        return
    if not re.fullmatch(rf"[a-z][a-z0-9_]{{0,{NAME_LENGTH_MAX - 1}}}", module.name):
        fix = f"Use up to {NAME_LENGTH_MAX} small letters, digits and _: it is the name of a branch of migrations."
        yield Finding("error", f"{where}.name", f"{module.name!r} cannot name a module with tables.", fix)
    try:
        newest([history])
    except ValueError as error:
        yield Finding("error", f"{where}.migrations", f"{error}.", "Correct the file, or delete it if it is new.")
        return
    if not history.files():
        fix = 'Write the first: tenantry db revision -m "What it makes".'
        yield Finding("error", f"{where}.migrations", f"{history.folder} holds no migration yet.", fix)


def _check_table(table: Any, where: str) -> Iterator[Finding]:
    name = getattr(table, "__name__", repr(table))
    where = f"{where}.tables"
    if not (isinstance(table, type) and issubclass(table, Base) and hasattr(table, "__tablename__")):
        yield Finding("error", where, f"{name} is no table.", "Pass classes of tenantry.kernel.database.Base.")
        return
    policy = getattr(table, "__policy__", None)
    if not isinstance(policy, Policy):
        fix = "Say who may read and write it: __policy__ = Policy(authenticated=Rights(read=own()))."
        yield Finding("error", where, f"{name} has no __policy__.", fix)
        return
    columns: Any = table.__table__.columns
    yield from _check_columns(name, columns, where)
    for role in Role:
        rights = policy.rights(role)
        named = {*(rights.read_columns or ()), *(rights.insert_columns or ()), *(rights.update_columns or ())}
        for missing in sorted(named - set(columns.keys())):
            yield Finding("error", where, f"{name}'s policy names {missing!r}, which is no column.", "Correct it.")


def _check_columns(name: str, columns: Any, where: str) -> Iterator[Finding]:
    for column in columns:
        if not isinstance(column.type, PortableType) or isinstance(column.type, IdList | TextList):
            fix = "Use one of tenantry.kernel.database.types: Id, Words, Whole, Flag, UtcDateTime, Json, Bytes."
            yield Finding("error", where, f"{name}.{column.name} is a {type(column.type).__name__}.", fix)
        if column.default is not None or column.onupdate is not None:
            fix = "Give the value when you write the row, or use server_default."
            yield Finding("error", where, f"{name}.{column.name} has a default that Python makes.", fix)
