"""What the tables' policies and promises become in the database: row level security, grants and triggers.

Rendered from the models; a migration carries the text as it was, and a house test compares both with a live database.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table

from ..policies import Command, Rights, Role, policy_of
from .compiling import dialect_for

FUNCTIONS = (
    """\
CREATE FUNCTION tenantry.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT pg_catalog.statement_timestamp() $$""",
    """\
CREATE FUNCTION tenantry.claims() RETURNS jsonb LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = ''
AS $$
BEGIN
  RETURN nullif(current_setting('request.jwt.claims', true), '')::jsonb;
EXCEPTION WHEN others THEN
  RETURN NULL;  -- a claim nobody can read is no claim: fail closed, never with an error
END $$""",
    """\
CREATE FUNCTION tenantry.uid() RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = ''
AS $$
BEGIN
  RETURN (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;
EXCEPTION WHEN others THEN
  RETURN NULL;
END $$""",
    """\
CREATE FUNCTION tenantry.organization_ids() RETURNS uuid[] LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = ''
AS $$
BEGIN
  RETURN ARRAY(SELECT jsonb_array_elements_text(tenantry.claims() -> 'organization_ids')::uuid);
EXCEPTION WHEN others THEN
  RETURN ARRAY[]::uuid[];
END $$""",
    """\
CREATE FUNCTION tenantry.plus(at timestamptz, seconds bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT at + seconds * interval '1 second' $$""",
    # The rules of `kernel/windows.py`, where they are written down. In UTC's own time, which knows no summer.
    """\
CREATE FUNCTION tenantry.window_edge(per text, at timestamptz, starts timestamptz, ends timestamptz, nth int)
RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
  t timestamp := at AT TIME ZONE 'UTC';
  s timestamp := starts AT TIME ZONE 'UTC';
  e timestamp := ends AT TIME ZONE 'UTC';
  anchor timestamp;
  whole int;
  months int;
  edge timestamp;
BEGIN
  IF per <> 'month' OR s IS NULL OR e IS NULL OR t < s THEN
    edge := date_trunc(per, t) + nth * ('1 ' || per)::interval;
    IF per = 'month' AND t < s AND e IS NOT NULL THEN
      edge := least(edge, s);
    END IF;
  ELSIF t < e AND e - s <= interval '32 days' THEN
    edge := CASE nth WHEN 0 THEN s ELSE e END;
  ELSE
    whole := (date_part('year', e) - date_part('year', s)) * 12 + date_part('month', e) - date_part('month', s);
    anchor := CASE
      WHEN whole % 12 = 0 THEN CASE WHEN t >= e THEN e ELSE s END
      WHEN s + make_interval(months => whole) = e THEN s
      WHEN t >= e OR e - make_interval(months => whole) = s THEN e
      ELSE s END;
    months := (date_part('year', t) - date_part('year', anchor)) * 12
      + date_part('month', t) - date_part('month', anchor);
    IF anchor + make_interval(months => months) > t THEN
      months := months - 1;
    END IF;
    IF t < e AND whole % 12 = 0 AND e - make_interval(months => whole) = s THEN
      months := least(months, whole - 1);
      edge := CASE WHEN months + nth = whole THEN e ELSE anchor + make_interval(months => months + nth) END;
    ELSE
      edge := anchor + make_interval(months => months + nth);
      IF t < e THEN
        edge := least(edge, e);
      END IF;
    END IF;
  END IF;
  RETURN edge AT TIME ZONE 'UTC';
END $$""",
    """\
CREATE FUNCTION tenantry.window_start(per text, at timestamptz, starts timestamptz, ends timestamptz)
RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT tenantry.window_edge(per, at, starts, ends, 0) $$""",
    """\
CREATE FUNCTION tenantry.window_end(per text, at timestamptz, starts timestamptz, ends timestamptz)
RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT tenantry.window_edge(per, at, starts, ends, 1) $$""",
    """\
CREATE FUNCTION tenantry.touch() RETURNS trigger LANGUAGE plpgsql SET search_path = ''
AS $$
BEGIN
  NEW.created_at := OLD.created_at;
  NEW.updated_at := tenantry.now();
  RETURN NEW;
END $$""",
    """\
CREATE FUNCTION tenantry.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = ''
AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$""",
    # A day of a table that is partitioned by `at`. The logins own no table, so these two run as the owner. It is made
    # and attached, since made in place it would lock the table; and who waits for a lock makes others wait: not long.
    """\
CREATE FUNCTION tenantry.add_partition(parent text, day timestamptz) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = '' SET lock_timeout = '200ms'
AS $$
DECLARE
  starts timestamptz := date_trunc('day', day, 'UTC');
  ends timestamptz := starts + interval '24 hours';
  name text := parent || '_' || to_char(starts AT TIME ZONE 'UTC', 'YYYYMMDD');
  is_taken boolean;
BEGIN
  IF to_regclass(format('tenantry.%I', name)) IS NOT NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('SELECT EXISTS (SELECT FROM tenantry.%I WHERE at >= $1 AND at < $2)', parent || '_default')
    INTO is_taken USING starts, ends;
  IF is_taken THEN
    RETURN false;
  END IF;
  EXECUTE format('CREATE TABLE tenantry.%I (LIKE public.%I INCLUDING ALL)', name, parent);
  EXECUTE format(
    'ALTER TABLE public.%I ATTACH PARTITION tenantry.%I FOR VALUES FROM (%L) TO (%L)', parent, name, starts, ends);
  RETURN true;
EXCEPTION WHEN check_violation OR duplicate_table OR unique_violation THEN
  RETURN false;  -- a row of that day came to the default partition meanwhile, or somebody else made it
END $$""",
    """\
CREATE FUNCTION tenantry.drop_partition(parent text, before timestamptz) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = '' SET lock_timeout = '200ms'
AS $$
DECLARE
  name text := (
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass(format('public.%I', parent)) AND c.relnamespace = 'tenantry'::regnamespace
      AND CASE WHEN c.relname ~ ('^' || parent || '_[0-9]{8}$')
        THEN (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC' <= before ELSE false END
    ORDER BY c.relname LIMIT 1);
BEGIN
  IF name IS NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('DROP TABLE tenantry.%I', name);
  RETURN true;
END $$""",
    """\
REVOKE ALL ON FUNCTION tenantry.add_partition(text, timestamptz), tenantry.drop_partition(text, timestamptz)
FROM PUBLIC, anon, authenticated""",
    """\
GRANT EXECUTE ON FUNCTION tenantry.add_partition(text, timestamptz), tenantry.drop_partition(text, timestamptz)
TO service_role""",
    """\
DO $$
BEGIN
  -- The name that policies written for Supabase use; where Supabase is, its own function stays.
  CREATE SCHEMA IF NOT EXISTS auth;
  IF to_regprocedure('auth.uid()') IS NULL THEN
    CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT tenantry.uid()';
    GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;
  END IF;
END $$""",
)

SCHEMA = (
    "CREATE SCHEMA IF NOT EXISTS tenantry",
    "GRANT USAGE ON SCHEMA tenantry TO anon, authenticated, service_role",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role",
)


def database_guards(kind: str) -> Iterator[str]:
    """The schema and functions that every table's guards lean on."""
    if kind == "postgresql":
        yield from SCHEMA
        yield from FUNCTIONS


def table_guards(table: Table, kind: str) -> Iterator[str]:
    """The statements that guard one new table."""
    if kind == "sqlite":
        yield from _sqlite_triggers(table)
        return
    if table.dialect_options["postgresql"].get("partition_by"):
        # What no other partition takes; out of the way of who compares the tables of `public` with the models.
        yield f"CREATE TABLE tenantry.{table.name}_default PARTITION OF {table.name} DEFAULT"
    yield from _postgres_triggers(table)
    yield f"ALTER TABLE {table.name} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {table.name} FORCE ROW LEVEL SECURITY"
    yield f"REVOKE ALL ON {table.name} FROM PUBLIC, anon, authenticated, service_role"
    for role in Role:
        yield from _grants(table, role)


def _grants(table: Table, role: Role) -> Iterator[str]:
    rights = policy_of(table).rights(role)
    for command in Command:
        predicate = rights.predicate(command)
        if predicate is None:
            continue
        columns = _granted_columns(rights, command)
        yield f"GRANT {command.upper()}{columns} ON {table.name} TO {role}"
        rows = render_predicate(predicate(table.c), table)
        clause = {
            Command.INSERT: f"WITH CHECK ({rows})",
            Command.UPDATE: f"USING ({rows}) WITH CHECK ({rows})",
        }.get(command, f"USING ({rows})")
        yield f"CREATE POLICY {table.name}_{role}_{command} ON {table.name} FOR {command.upper()} TO {role} {clause}"


def _granted_columns(rights: Rights, command: Command) -> str:
    columns = rights.columns(command)
    return "" if columns is None else f" ({', '.join(columns)})"


def render_predicate(predicate: Any, table: Table) -> str:
    """A policy's predicate as PostgreSQL keeps it, with `tenantry.uid()` in place of bound values."""
    dialect = dialect_for("postgresql", None)
    compiler: Any = dialect.statement_compiler(dialect, None)
    compiler.renders_policy = True
    compiler.stack.append({"correlate_froms": {table}, "asfrom_froms": {table}})
    return " ".join(compiler.process(predicate, literal_binds=True).split())


def _postgres_triggers(table: Table) -> Iterator[str]:
    if "updated_at" in table.c:
        yield (
            f"CREATE TRIGGER {table.name}_touch BEFORE UPDATE ON {table.name} "
            "FOR EACH ROW EXECUTE FUNCTION tenantry.touch()"
        )
    if table.info.get("append_only"):
        yield (
            f"CREATE TRIGGER {table.name}_append_only BEFORE UPDATE OR DELETE ON {table.name} "
            "FOR EACH ROW EXECUTE FUNCTION tenantry.refuse_change()"
        )
        yield (
            f"CREATE TRIGGER {table.name}_no_truncate BEFORE TRUNCATE ON {table.name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION tenantry.refuse_change()"
        )


def _sqlite_triggers(table: Table) -> Iterator[str]:
    if "updated_at" in table.c:
        # The trigger's own update fires no trigger again: recursive triggers are off.
        key = " AND ".join(f"{one.name} = NEW.{one.name}" for one in table.primary_key)
        yield (
            f"CREATE TRIGGER {table.name}_touch AFTER UPDATE ON {table.name} FOR EACH ROW BEGIN "  # noqa: S608 - names of our own tables
            f"UPDATE {table.name} SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE {key}; END"
        )
    if table.info.get("append_only"):
        for command in ("UPDATE", "DELETE"):
            yield (
                f"CREATE TRIGGER {table.name}_no_{command.lower()} BEFORE {command} ON {table.name} "
                f"BEGIN SELECT RAISE(ABORT, '{table.name} is append-only'); END"
            )
        # INSERT OR REPLACE deletes the row that stands in its way, and no trigger for DELETE hears of it.
        key = " AND ".join(f"{one.name} = NEW.{one.name}" for one in table.primary_key)
        yield (
            f"CREATE TRIGGER {table.name}_no_replace BEFORE INSERT ON {table.name} "  # noqa: S608 - names of our own tables
            f"WHEN EXISTS (SELECT 1 FROM {table.name} WHERE {key}) "
            f"BEGIN SELECT RAISE(ABORT, '{table.name} is append-only'); END"
        )
