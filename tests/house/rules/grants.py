"""Whether PostgreSQL grants what the policies say, no more and no less."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Table

from tenantry.kernel.policies import Command, Role, policy_of

from .tree import Finding

NEVER = ("TRUNCATE", "REFERENCES", "TRIGGER")


async def wrong_grants(connection: Any, tables: Iterable[Table]) -> list[Finding]:
    """Rights on tables and columns that differ from the policy, asked role by role and column by column."""
    found = []
    for table in tables:
        if await connection.fetchval("SELECT to_regclass($1)", f"public.{table.name}") is None:
            found.append(Finding(table.name, 1, "is not in the database"))
            continue
        for role in Role:
            found += await _of_table(connection, table, role)
    return found


async def _of_table(connection: Any, table: Table, role: Role) -> list[Finding]:
    found = []
    for command, column, wanted in _wanted(table, role):
        if column is None:
            question = "SELECT has_table_privilege($1, $2, $3)"
            has = await connection.fetchval(question, str(role), table.name, command)
        else:
            question = "SELECT has_column_privilege($1, $2, $3, $4)"
            has = await connection.fetchval(question, str(role), table.name, column, command)
        if has != wanted:
            place = f"{table.name}.{column}" if column else table.name
            found.append(
                Finding(place, 1, f"{role} {'may' if has else 'may not'} {command}; the policy says otherwise")
            )
    return found


def _wanted(table: Table, role: Role) -> Iterator[tuple[str, str | None, bool]]:
    rights = policy_of(table).rights(role)
    for command in Command:
        granted = rights.predicate(command) is not None
        if command is Command.DELETE:
            yield "DELETE", None, granted
            continue
        columns = rights.columns(command)
        for column in table.columns:
            yield command.upper(), column.name, granted and (columns is None or column.name in columns)
    for command in NEVER:
        yield command, None, False


async def open_tables(connection: Any) -> list[Finding]:
    """Tables without forced row level security, and anything granted to everybody, in a live database."""
    loose = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace "
        "AND relname <> 'tenantry_schema' AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY 1"
    )
    public = await connection.fetch(
        "SELECT DISTINCT c.relname, one.privilege_type FROM pg_class c, LATERAL (SELECT * FROM aclexplode(c.relacl) "
        "UNION SELECT x.* FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid = c.oid) one "
        "WHERE c.relnamespace = 'public'::regnamespace AND one.grantee = 0 ORDER BY 1, 2"
    )
    return [
        *(Finding(name, 1, "row level security is not enabled and forced") for (name,) in loose),
        *(Finding(name, 1, f"{right} is granted to everybody") for name, right in public),
    ]
