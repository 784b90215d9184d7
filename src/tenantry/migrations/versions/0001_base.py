"""The ground floor, holders, identity and usage.

Revision 0001, after nothing, 2026-11-22.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The server asks which revision its database is at.
    _run("postgresql", "GRANT SELECT ON tenantry_schema TO service_role")
    _run(
        "postgresql",
        "CREATE SCHEMA IF NOT EXISTS tenantry",
        "GRANT USAGE ON SCHEMA tenantry TO anon, authenticated, service_role",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role",
        """CREATE FUNCTION tenantry.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT pg_catalog.statement_timestamp() $$""",
        """CREATE FUNCTION tenantry.claims() RETURNS jsonb LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = ''
    AS $$
    BEGIN
      RETURN nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    EXCEPTION WHEN others THEN
      RETURN NULL;  -- a claim nobody can read is no claim: fail closed, never with an error
    END $$""",
        """CREATE FUNCTION tenantry.uid() RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = ''
    AS $$
    BEGIN
      RETURN (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;
    EXCEPTION WHEN others THEN
      RETURN NULL;
    END $$""",
        """CREATE FUNCTION tenantry.organization_ids() RETURNS uuid[] LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = ''
    AS $$
    BEGIN
      RETURN ARRAY(SELECT jsonb_array_elements_text(tenantry.claims() -> 'organization_ids')::uuid);
    EXCEPTION WHEN others THEN
      RETURN ARRAY[]::uuid[];
    END $$""",
        """CREATE FUNCTION tenantry.plus(at timestamptz, seconds bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT at + seconds * interval '1 second' $$""",
        """CREATE FUNCTION tenantry.window_edge(per text, at timestamptz, starts timestamptz, ends timestamptz, nth int)
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
        """CREATE FUNCTION tenantry.window_start(per text, at timestamptz, starts timestamptz, ends timestamptz)
    RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT tenantry.window_edge(per, at, starts, ends, 0) $$""",
        """CREATE FUNCTION tenantry.window_end(per text, at timestamptz, starts timestamptz, ends timestamptz)
    RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT tenantry.window_edge(per, at, starts, ends, 1) $$""",
        """CREATE FUNCTION tenantry.touch() RETURNS trigger LANGUAGE plpgsql SET search_path = ''
    AS $$
    BEGIN
      NEW.created_at := OLD.created_at;
      NEW.updated_at := tenantry.now();
      RETURN NEW;
    END $$""",
        """CREATE FUNCTION tenantry.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = ''
    AS $$
    BEGIN
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END $$""",
        """CREATE FUNCTION tenantry.add_partition(parent text, day timestamptz) RETURNS boolean LANGUAGE plpgsql
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
        """CREATE FUNCTION tenantry.drop_partition(parent text, before timestamptz) RETURNS boolean LANGUAGE plpgsql
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
        """REVOKE ALL ON FUNCTION tenantry.add_partition(text, timestamptz), tenantry.drop_partition(text, timestamptz)
    FROM PUBLIC, anon, authenticated""",
        """GRANT EXECUTE ON FUNCTION tenantry.add_partition(text, timestamptz), tenantry.drop_partition(text, timestamptz)
    TO service_role""",
        """DO $$
    BEGIN
      -- The name that policies written for Supabase use; where Supabase is, its own function stays.
      CREATE SCHEMA IF NOT EXISTS auth;
      IF to_regprocedure('auth.uid()') IS NULL THEN
        CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT tenantry.uid()';
        GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;
      END IF;
    END $$""",
    )
    op.create_table(
        "attempts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 300", name=op.f("ck_attempts_key_length")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempts")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index("ix_attempts_ends_at", ["ends_at"], unique=False)

    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("actor_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("impersonator_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "actor_kind IN ('anonymous', 'user', 'key', 'system')", name=op.f("ck_audit_log_actor_kind_known")
        ),
        sa.CheckConstraint("length(action) BETWEEN 1 AND 100", name=op.f("ck_audit_log_action_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.create_index("ix_audit_log_action_created_at_id", ["action", "created_at", "id"], unique=False)
        batch_op.create_index("ix_audit_log_actor_id_created_at_id", ["actor_id", "created_at", "id"], unique=False)
        batch_op.create_index("ix_audit_log_created_at_id", ["created_at", "id"], unique=False)
        batch_op.create_index("ix_audit_log_subject_id_created_at_id", ["subject_id", "created_at", "id"], unique=False)

    op.create_table(
        "billing_events",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("object_kind", sa.Text(), nullable=True),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column("headers", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.Text(), server_default="received", nullable=False),
        sa.Column("attempts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False),
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column("lease", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "object_kind IN ('subscription', 'payment', 'customer', 'product', 'price')",
            name=op.f("ck_billing_events_object_kind_known"),
        ),
        sa.CheckConstraint(
            "provider IN ('stripe', 'polar', 'lemonsqueezy', 'fake')", name=op.f("ck_billing_events_provider_known")
        ),
        sa.CheckConstraint(
            "status IN ('received', 'waiting', 'done', 'ignored', 'dead')", name=op.f("ck_billing_events_status_known")
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_billing_events_attempts_counted")),
        sa.CheckConstraint("length(dedupe_key) BETWEEN 1 AND 255", name=op.f("ck_billing_events_dedupe_key_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_events")),
        sa.UniqueConstraint("provider", "dedupe_key", name=op.f("uq_billing_events_provider_dedupe_key")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("billing_events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_billing_events_provider_object", ["provider", "object_id", "object_kind"], unique=False
        )
        batch_op.create_index("ix_billing_events_received_at", ["received_at"], unique=False)
        batch_op.create_index("ix_billing_events_status_due_at", ["status", "due_at"], unique=False)
        batch_op.create_index("ix_billing_events_status_id", ["status", "id"], unique=False)

    op.create_table(
        "billing_locks",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("object_kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("lease", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.CheckConstraint(
            "object_kind IN ('subscription', 'payment', 'customer', 'product', 'price', 'products', 'intent')",
            name=op.f("ck_billing_locks_object_kind_known"),
        ),
        sa.CheckConstraint(
            "provider IN ('stripe', 'polar', 'lemonsqueezy', 'fake')", name=op.f("ck_billing_locks_provider_known")
        ),
        sa.PrimaryKeyConstraint("provider", "object_kind", "object_id", name=op.f("pk_billing_locks")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("billing_locks", schema=None) as batch_op:
        batch_op.create_index("ix_billing_locks_leased_until", ["leased_until"], unique=False)

    op.create_table(
        "idempotency_keys",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), server_default="in_progress", nullable=False),
        sa.Column("lease", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(status = 'done') = (answer IS NOT NULL)", name=op.f("ck_idempotency_keys_answered_when_done")
        ),
        sa.CheckConstraint("actor_kind IN ('user', 'holder')", name=op.f("ck_idempotency_keys_actor_kind_known")),
        sa.CheckConstraint("status IN ('in_progress', 'done')", name=op.f("ck_idempotency_keys_status_known")),
        sa.CheckConstraint("length(key_hash) BETWEEN 32 AND 32", name=op.f("ck_idempotency_keys_key_hash_length")),
        sa.CheckConstraint(
            "length(request_hash) BETWEEN 32 AND 32", name=op.f("ck_idempotency_keys_request_hash_length")
        ),
        sa.CheckConstraint("length(route) BETWEEN 1 AND 1000", name=op.f("ck_idempotency_keys_route_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint(
            "actor_kind", "actor_id", "key_hash", name=op.f("uq_idempotency_keys_actor_kind_actor_id_key_hash")
        ),
        sqlite_strict=True,
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index("ix_idempotency_keys_ends_at", ["ends_at"], unique=False)

    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("actor_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("status", sa.Text(), server_default="queued", nullable=False),
        sa.Column(
            "run_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column("attempts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False),
        sa.Column("attempts_max", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("lease", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("once_key", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("status IN ('queued', 'running', 'done', 'dead')", name=op.f("ck_jobs_status_known")),
        sa.CheckConstraint("attempts >= 0 AND attempts_max > 0", name=op.f("ck_jobs_attempts_counted")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_jobs_name_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("once_key", name=op.f("uq_jobs_once_key")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index("ix_jobs_finished_at", ["finished_at"], unique=False)
        batch_op.create_index("ix_jobs_name_id", ["name", "id"], unique=False)
        batch_op.create_index("ix_jobs_status_id", ["status", "id"], unique=False)
        batch_op.create_index("ix_jobs_status_run_at", ["status", "run_at"], unique=False)

    op.create_table(
        "mails",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("actor_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="queued", nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("status IN ('queued', 'sent', 'kept')", name=op.f("ck_mails_status_known")),
        sa.CheckConstraint("length(recipient) BETWEEN 3 AND 320", name=op.f("ck_mails_recipient_length")),
        sa.CheckConstraint("length(subject) BETWEEN 1 AND 300", name=op.f("ck_mails_subject_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("mails", schema=None) as batch_op:
        batch_op.create_index("ix_mails_recipient_id", [sa.literal_column("lower(recipient)"), "id"], unique=False)
        batch_op.create_index("ix_mails_sent_at", ["sent_at"], unique=False)
        batch_op.create_index("ix_mails_status_id", ["status", "id"], unique=False)

    op.create_table(
        "notices",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("length(topic) BETWEEN 1 AND 40", name=op.f("ck_notices_topic_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index("ix_notices_created_at", ["created_at"], unique=False)

    op.create_table(
        "organizations",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("owner_role", sa.Text(), server_default="owner", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("owner_role IN ('owner')", name=op.f("ck_organizations_owner_role_known")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_organizations_name_length")),
        sa.ForeignKeyConstraint(
            ["id", "owner_id", "owner_role"],
            ["memberships.organization_id", "memberships.user_id", "memberships.role"],
            name="fk_organizations_owner",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
            use_alter=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("organizations", schema=None) as batch_op:
        batch_op.create_index("ix_organizations_owner_id_id_owner_role", ["owner_id", "id", "owner_role"], unique=False)

    op.create_table(
        "plans",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("price_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("limits", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("features", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("is_active", sa.Boolean().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("is_active IN (true, false)", name=op.f("ck_plans_is_active_flag")),
        sa.CheckConstraint("length(currency) BETWEEN 3 AND 3", name=op.f("ck_plans_currency_length")),
        sa.CheckConstraint("length(display_name) BETWEEN 1 AND 100", name=op.f("ck_plans_display_name_length")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 50", name=op.f("ck_plans_name_length")),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_plans_price_minor_counted")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_plans")),
        sqlite_strict=True,
    )
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("is_active", sa.Boolean().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("details", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "provider IN ('stripe', 'polar', 'lemonsqueezy', 'fake')", name=op.f("ck_products_provider_known")
        ),
        sa.CheckConstraint("is_active IN (true, false)", name=op.f("ck_products_is_active_flag")),
        sa.CheckConstraint("length(external_id) BETWEEN 1 AND 255", name=op.f("ck_products_external_id_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("provider", "external_id", name=op.f("uq_products_provider_external_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_verified_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("company", sa.Text(), nullable=True),
        sa.Column("banned_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("ban_ends_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("ban_reason", sa.Text(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("role", sa.Text(), server_default="USER", nullable=False),
        sa.Column("role_until", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("membership_status", sa.Text(), server_default="ACTIVE", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("email LIKE '%_@_%'", name=op.f("ck_users_email_shaped")),
        sa.CheckConstraint(
            "membership_status IN ('ACTIVE', 'INACTIVE', 'CANCELED', 'PAST_DUE')",
            name=op.f("ck_users_membership_status_known"),
        ),
        sa.CheckConstraint("role IN ('USER', 'PREMIUM', 'ADMIN')", name=op.f("ck_users_role_known")),
        sa.CheckConstraint("role_until IS NULL OR role = 'PREMIUM'", name=op.f("ck_users_role_until_premium")),
        sa.CheckConstraint("ban_ends_at IS NULL OR banned_at IS NOT NULL", name=op.f("ck_users_ban_begins")),
        sa.CheckConstraint("length(ban_reason) BETWEEN 1 AND 500", name=op.f("ck_users_ban_reason_length")),
        sa.CheckConstraint("length(company) BETWEEN 1 AND 255", name=op.f("ck_users_company_length")),
        sa.CheckConstraint("length(email) BETWEEN 3 AND 255", name=op.f("ck_users_email_length")),
        sa.CheckConstraint("length(image) BETWEEN 1 AND 2000", name=op.f("ck_users_image_length")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 255", name=op.f("ck_users_name_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_index(
            "ix_users_banned",
            ["id"],
            unique=False,
            postgresql_where=sa.text("banned_at IS NOT NULL"),
            sqlite_where=sa.text("banned_at IS NOT NULL"),
        )
        batch_op.create_index("ix_users_created_at", ["created_at"], unique=False)
        batch_op.create_index("ix_users_role_id", ["role", "id"], unique=False)
        batch_op.create_index("uq_users_email", [sa.literal_column("lower(email)")], unique=True)

    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("provider_account_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("scope", sa.Text(), nullable=True),
        sa.Column("token_type", sa.Text(), nullable=True),
        sa.Column("access_token", sa.Text(), nullable=True),
        sa.Column(
            "access_token_expires_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True
        ),
        sa.Column("refresh_token", sa.Text(), nullable=True),
        sa.Column("id_token", sa.Text(), nullable=True),
        sa.Column("session_state", sa.Text(), nullable=True),
        sa.Column("refreshing_until", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("type IN ('oauth', 'oidc')", name=op.f("ck_accounts_type_known")),
        sa.CheckConstraint("length(issuer) BETWEEN 1 AND 500", name=op.f("ck_accounts_issuer_length")),
        sa.CheckConstraint("length(provider) BETWEEN 1 AND 50", name=op.f("ck_accounts_provider_length")),
        sa.CheckConstraint(
            "length(provider_account_id) BETWEEN 1 AND 255", name=op.f("ck_accounts_provider_account_id_length")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_accounts_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("provider", "provider_account_id", name=op.f("uq_accounts_provider_provider_account_id")),
        sa.UniqueConstraint("user_id", "id", name=op.f("uq_accounts_user_id_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "address_changes",
        sa.Column("user_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("length(email) BETWEEN 3 AND 255", name=op.f("ck_address_changes_email_length")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_address_changes_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_address_changes")),
        sa.UniqueConstraint("id", name=op.f("uq_address_changes_id")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("address_changes", schema=None) as batch_op:
        batch_op.create_index("ix_address_changes_expires_at", ["expires_at"], unique=False)

    op.create_table(
        "invitations",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("organization_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("invited_by", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column(
            "sent_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("(status = 'pending') = (decided_at IS NULL)", name=op.f("ck_invitations_decision_stamped")),
        sa.CheckConstraint("role IN ('admin', 'member')", name=op.f("ck_invitations_role_known")),
        sa.CheckConstraint(
            "status IN ('pending', 'accepted', 'declined', 'revoked')", name=op.f("ck_invitations_status_known")
        ),
        sa.CheckConstraint("length(email) BETWEEN 3 AND 255", name=op.f("ck_invitations_email_length")),
        sa.CheckConstraint("length(token_hash) = 32", name=op.f("ck_invitations_token_hash_length")),
        sa.ForeignKeyConstraint(
            ["invited_by"], ["users.id"], name=op.f("fk_invitations_invited_by_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_invitations_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("organization_id", "id", name=op.f("uq_invitations_organization_id_id")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.create_index("ix_invitations_email", [sa.literal_column("lower(email)")], unique=False)
        batch_op.create_index("ix_invitations_expires_at", ["expires_at"], unique=False)
        batch_op.create_index("ix_invitations_invited_by", ["invited_by"], unique=False)
        batch_op.create_index(
            "uq_invitations_pending",
            ["organization_id", sa.literal_column("lower(email)")],
            unique=True,
            postgresql_where=sa.text("status = 'pending'"),
            sqlite_where=sa.text("status = 'pending'"),
        )

    op.create_table(
        "memberships",
        sa.Column("organization_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column(
            "chosen_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("role IN ('owner', 'admin', 'member')", name=op.f("ck_memberships_role_known")),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_memberships_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_memberships_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organization_id", "user_id", name=op.f("pk_memberships")),
        sa.UniqueConstraint(
            "organization_id", "user_id", "role", name=op.f("uq_memberships_organization_id_user_id_role")
        ),
        sqlite_strict=True,
    )
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.create_index("ix_memberships_user_id", ["user_id"], unique=False)
        batch_op.create_index(
            "uq_memberships_owner",
            ["organization_id"],
            unique=True,
            postgresql_where=sa.text("role = 'owner'"),
            sqlite_where=sa.text("role = 'owner'"),
        )

    op.create_table(
        "passkeys",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column(
            "sign_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False
        ),
        sa.Column("transports", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("aaguid", sa.Text(), nullable=True),
        sa.Column("backed_up", sa.Boolean().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("backed_up IN (true, false)", name=op.f("ck_passkeys_backed_up_flag")),
        sa.CheckConstraint("length(credential_id) BETWEEN 1 AND 1023", name=op.f("ck_passkeys_credential_id_length")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_passkeys_name_length")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_passkeys_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
        sa.UniqueConstraint("user_id", "id", name=op.f("uq_passkeys_user_id_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "passwords",
        sa.Column("user_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("length(hash) BETWEEN 1 AND 500", name=op.f("ck_passwords_hash_length")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_passwords_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_passwords")),
        sqlite_strict=True,
    )
    op.create_table(
        "prices",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("lookup", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("interval", sa.Text(), nullable=True),
        sa.Column(
            "interval_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="1", nullable=False
        ),
        sa.Column("is_active", sa.Boolean().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("details", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("interval IN ('day', 'week', 'month', 'year')", name=op.f("ck_prices_interval_known")),
        sa.CheckConstraint(
            "provider IN ('stripe', 'polar', 'lemonsqueezy', 'fake')", name=op.f("ck_prices_provider_known")
        ),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_prices_amount_minor_counted")),
        sa.CheckConstraint("interval_count > 0", name=op.f("ck_prices_interval_count_counted")),
        sa.CheckConstraint("is_active IN (true, false)", name=op.f("ck_prices_is_active_flag")),
        sa.CheckConstraint("length(currency) BETWEEN 3 AND 3", name=op.f("ck_prices_currency_length")),
        sa.CheckConstraint("length(external_id) BETWEEN 1 AND 255", name=op.f("ck_prices_external_id_length")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_prices_product_id_products"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prices")),
        sa.UniqueConstraint("provider", "external_id", name=op.f("uq_prices_provider_external_id")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("prices", schema=None) as batch_op:
        batch_op.create_index("ix_prices_product_id", ["product_id"], unique=False)
        batch_op.create_index("ix_prices_provider_lookup", ["provider", "lookup"], unique=False)

    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("length(code_hash) = 32", name=op.f("ck_recovery_codes_code_hash_length")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("user_id", "code_hash", name=op.f("uq_recovery_codes_user_id_code_hash")),
        sqlite_strict=True,
    )
    op.create_table(
        "totp_secrets",
        sa.Column("user_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("next_secret", sa.Text(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column(
            "last_step", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("(secret IS NULL) = (confirmed_at IS NULL)", name=op.f("ck_totp_secrets_secret_confirmed")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_totp_secrets_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totp_secrets")),
        sqlite_strict=True,
    )
    op.create_table(
        "trial_workspaces",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), server_default="standard", nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("expired_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("converted_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column(
            "extensions", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False
        ),
        sa.Column("reminded_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(status = 'cancelled') = (cancelled_at IS NOT NULL)", name=op.f("ck_trial_workspaces_cancelled_stamped")
        ),
        sa.CheckConstraint(
            "(status = 'converted') = (converted_at IS NOT NULL)", name=op.f("ck_trial_workspaces_converted_stamped")
        ),
        sa.CheckConstraint(
            "(status = 'expired') = (expired_at IS NOT NULL)", name=op.f("ck_trial_workspaces_expired_stamped")
        ),
        sa.CheckConstraint(
            "status IN ('active', 'expired', 'converted', 'cancelled')", name=op.f("ck_trial_workspaces_status_known")
        ),
        sa.CheckConstraint("tier IN ('standard', 'enterprise')", name=op.f("ck_trial_workspaces_tier_known")),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_trial_workspaces_expires_later")),
        sa.CheckConstraint("extensions >= 0", name=op.f("ck_trial_workspaces_extensions_counted")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_trial_workspaces_name_length")),
        sa.CheckConstraint("length(slug) BETWEEN 1 AND 60", name=op.f("ck_trial_workspaces_slug_length")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_trial_workspaces_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trial_workspaces")),
        sa.UniqueConstraint("slug", name=op.f("uq_trial_workspaces_slug")),
        sa.UniqueConstraint("user_id", "id", name=op.f("uq_trial_workspaces_user_id_id")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("trial_workspaces", schema=None) as batch_op:
        batch_op.create_index("ix_trial_workspaces_status_expires_at", ["status", "expires_at"], unique=False)
        batch_op.create_index("ix_trial_workspaces_status_id", ["status", "id"], unique=False)
        batch_op.create_index("ix_trial_workspaces_user_id_created_at", ["user_id", "created_at"], unique=False)

    op.create_table(
        "verification_tokens",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("detail", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "purpose IN ('sign-up', 'sign-in', 'reset', 'change-address', 'approve-address', 'second-factor', 'link', 'passkey', 'confirm')",
            name=op.f("ck_verification_tokens_purpose_known"),
        ),
        sa.CheckConstraint(
            "code_hash IS NULL OR length(code_hash) = 32", name=op.f("ck_verification_tokens_code_hash_length")
        ),
        sa.CheckConstraint(
            "length(identifier) BETWEEN 1 AND 320", name=op.f("ck_verification_tokens_identifier_length")
        ),
        sa.CheckConstraint("length(token_hash) = 32", name=op.f("ck_verification_tokens_token_hash_length")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_verification_tokens_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification_tokens")),
        sa.UniqueConstraint("identifier", "token_hash", name=op.f("uq_verification_tokens_identifier_token_hash")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_verification_tokens_token_hash")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("verification_tokens", schema=None) as batch_op:
        batch_op.create_index("ix_verification_tokens_expires_at", ["expires_at"], unique=False)
        batch_op.create_index("ix_verification_tokens_user_id_purpose", ["user_id", "purpose"], unique=False)

    op.create_table(
        "holders",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("organization_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("workspace_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("owner_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("plan_source", sa.Text(), server_default="default", nullable=False),
        sa.Column("plan_until", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("plan_after", sa.Text(), nullable=True),
        sa.Column("granted_plan", sa.Text(), nullable=True),
        sa.Column("period_start", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("period_end", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("suspended_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("revision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="1", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(kind = 'user' AND user_id IS NOT NULL AND organization_id IS NULL AND workspace_id IS NULL AND owner_id IS NOT NULL AND owner_id = user_id) OR (kind = 'organization' AND organization_id IS NOT NULL AND user_id IS NULL AND workspace_id IS NULL AND owner_id IS NULL) OR (kind = 'workspace' AND workspace_id IS NOT NULL AND user_id IS NULL AND organization_id IS NULL AND owner_id IS NOT NULL)",
            name=op.f("ck_holders_one_owner"),
        ),
        sa.CheckConstraint("kind IN ('user', 'organization', 'workspace')", name=op.f("ck_holders_kind_known")),
        sa.CheckConstraint(
            "plan_source IN ('default', 'admin', 'trial', 'billing')", name=op.f("ck_holders_plan_source_known")
        ),
        sa.CheckConstraint("(period_start IS NULL) = (period_end IS NULL)", name=op.f("ck_holders_period_whole")),
        sa.CheckConstraint("(plan_until IS NULL) = (plan_after IS NULL)", name=op.f("ck_holders_plan_until_whole")),
        sa.CheckConstraint("period_end > period_start", name=op.f("ck_holders_period_forward")),
        sa.CheckConstraint("revision > 0", name=op.f("ck_holders_revision_counted")),
        sa.ForeignKeyConstraint(
            ["granted_plan"], ["plans.name"], name=op.f("fk_holders_granted_plan_plans"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_holders_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "workspace_id"],
            ["trial_workspaces.user_id", "trial_workspaces.id"],
            name=op.f("fk_holders_owner_id_workspace_id_trial_workspaces"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_holders_owner_id_users"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["plan"], ["plans.name"], name=op.f("fk_holders_plan_plans"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["plan_after"], ["plans.name"], name=op.f("fk_holders_plan_after_plans"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_holders_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holders")),
        sa.UniqueConstraint("organization_id", "id", name=op.f("uq_holders_organization_id_id")),
        sa.UniqueConstraint("user_id", "id", name=op.f("uq_holders_user_id_id")),
        sa.UniqueConstraint("user_id", name=op.f("uq_holders_user_id")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_holders_workspace_id_id")),
        sa.UniqueConstraint("workspace_id", name=op.f("uq_holders_workspace_id")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("holders", schema=None) as batch_op:
        batch_op.create_index("ix_holders_granted_plan", ["granted_plan"], unique=False)
        batch_op.create_index("ix_holders_owner_id_workspace_id", ["owner_id", "workspace_id"], unique=False)
        batch_op.create_index("ix_holders_plan", ["plan"], unique=False)
        batch_op.create_index("ix_holders_plan_after", ["plan_after"], unique=False)
        batch_op.create_index("ix_holders_plan_until", ["plan_until"], unique=False)
        batch_op.create_index(
            "uq_holders_organization_id",
            ["organization_id"],
            unique=True,
            postgresql_where=sa.text("organization_id IS NOT NULL"),
            sqlite_where=sa.text("organization_id IS NOT NULL"),
        )

    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "authenticated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column("last_seen_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("impersonator_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("impersonator_session_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("may_write", sa.Boolean().with_variant(sa.Integer(), "sqlite"), server_default="1", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(impersonator_id IS NULL) = (reason IS NULL)", name=op.f("ck_sessions_impersonation_reasoned")
        ),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_sessions_expires_later")),
        sa.CheckConstraint(
            "impersonator_session_id IS NULL OR impersonator_id IS NOT NULL", name=op.f("ck_sessions_impersonated")
        ),
        sa.CheckConstraint("length(method) BETWEEN 1 AND 50", name=op.f("ck_sessions_method_length")),
        sa.CheckConstraint("length(reason) BETWEEN 1 AND 500", name=op.f("ck_sessions_reason_length")),
        sa.CheckConstraint("length(token_hash) = 32", name=op.f("ck_sessions_token_hash_length")),
        sa.CheckConstraint("length(user_agent) BETWEEN 0 AND 500", name=op.f("ck_sessions_user_agent_length")),
        sa.CheckConstraint("may_write IN (true, false)", name=op.f("ck_sessions_may_write_flag")),
        sa.ForeignKeyConstraint(
            ["impersonator_id"], ["users.id"], name=op.f("fk_sessions_impersonator_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["impersonator_session_id"],
            ["sessions.id"],
            name=op.f("fk_sessions_impersonator_session_id_sessions"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "account_id"],
            ["accounts.user_id", "accounts.id"],
            name=op.f("fk_sessions_user_id_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
        sa.UniqueConstraint("user_id", "id", name=op.f("uq_sessions_user_id_id")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index("ix_sessions_expires_at", ["expires_at"], unique=False)
        batch_op.create_index("ix_sessions_impersonator_id", ["impersonator_id"], unique=False)
        batch_op.create_index("ix_sessions_impersonator_session_id", ["impersonator_session_id"], unique=False)
        batch_op.create_index("ix_sessions_user_id_account_id", ["user_id", "account_id"], unique=False)

    op.create_table(
        "subscription_terms",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("subscription_external_id", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("price_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("interval", sa.Text(), nullable=True),
        sa.Column(
            "interval_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="1", nullable=False
        ),
        sa.Column("quantity", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="1", nullable=False),
        sa.CheckConstraint(
            "interval IN ('day', 'week', 'month', 'year')", name=op.f("ck_subscription_terms_interval_known")
        ),
        sa.CheckConstraint("origin IN ('state', 'payment')", name=op.f("ck_subscription_terms_origin_known")),
        sa.CheckConstraint(
            "provider IN ('stripe', 'polar', 'lemonsqueezy', 'fake')", name=op.f("ck_subscription_terms_provider_known")
        ),
        sa.CheckConstraint(
            "amount_minor >= 0 AND interval_count > 0 AND quantity >= 0",
            name=op.f("ck_subscription_terms_amount_minor_counted"),
        ),
        sa.CheckConstraint("length(currency) BETWEEN 3 AND 3", name=op.f("ck_subscription_terms_currency_length")),
        sa.CheckConstraint(
            "length(subscription_external_id) BETWEEN 1 AND 255",
            name=op.f("ck_subscription_terms_subscription_external_id_length"),
        ),
        sa.ForeignKeyConstraint(
            ["price_id"], ["prices.id"], name=op.f("fk_subscription_terms_price_id_prices"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("provider", "subscription_external_id", "since", name=op.f("pk_subscription_terms")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("subscription_terms", schema=None) as batch_op:
        batch_op.create_index("ix_subscription_terms_price_id", ["price_id"], unique=False)

    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("made_by", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("ending", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="pending_verification", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("successor_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("(status = 'revoked') = (revoked_at IS NOT NULL)", name=op.f("ck_api_keys_revoked_stamped")),
        sa.CheckConstraint(
            "status IN ('pending_verification', 'active', 'revoked')", name=op.f("ck_api_keys_status_known")
        ),
        sa.CheckConstraint("length(ending) BETWEEN 4 AND 4", name=op.f("ck_api_keys_ending_length")),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_api_keys_hash_length")),
        sa.CheckConstraint("length(label) BETWEEN 1 AND 100", name=op.f("ck_api_keys_label_length")),
        sa.CheckConstraint("length(prefix) BETWEEN 1 AND 50", name=op.f("ck_api_keys_prefix_length")),
        sa.CheckConstraint("successor_id <> id", name=op.f("ck_api_keys_successor_other")),
        sa.ForeignKeyConstraint(
            ["holder_id", "successor_id"],
            ["api_keys.holder_id", "api_keys.id"],
            name=op.f("fk_api_keys_holder_id_successor_id_api_keys"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["holders.id"], name=op.f("fk_api_keys_holder_id_holders"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["made_by"], ["users.id"], name=op.f("fk_api_keys_made_by_users"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["tier"], ["plans.name"], name=op.f("fk_api_keys_tier_plans"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
        sa.UniqueConstraint("holder_id", "id", name=op.f("uq_api_keys_holder_id_id")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.create_index("ix_api_keys_holder_id_created_at", ["holder_id", "created_at"], unique=False)
        batch_op.create_index("ix_api_keys_holder_id_successor_id", ["holder_id", "successor_id"], unique=False)
        batch_op.create_index("ix_api_keys_made_by", ["made_by"], unique=False)
        batch_op.create_index("ix_api_keys_status_expires_at", ["status", "expires_at"], unique=False)
        batch_op.create_index("ix_api_keys_tier", ["tier"], unique=False)

    op.create_table(
        "billing_facts",
        sa.Column("fact", sa.Text(), nullable=False),
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("length(fact) BETWEEN 1 AND 500", name=op.f("ck_billing_facts_fact_length")),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["holders.id"], name=op.f("fk_billing_facts_holder_id_holders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("fact", name=op.f("pk_billing_facts")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("billing_facts", schema=None) as batch_op:
        batch_op.create_index("ix_billing_facts_created_at", ["created_at"], unique=False)
        batch_op.create_index("ix_billing_facts_holder_id", ["holder_id"], unique=False)

    op.create_table(
        "credit_accounts",
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["holders.id"], name=op.f("fk_credit_accounts_holder_id_holders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("holder_id", name=op.f("pk_credit_accounts")),
        sqlite_strict=True,
    )
    # The two tables reference each other.
    _run(
        "postgresql",
        "ALTER TABLE organizations ADD CONSTRAINT fk_organizations_owner FOREIGN KEY (id, owner_id, owner_role) "
        "REFERENCES memberships (organization_id, user_id, role) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
    )
    op.create_table(
        "current_organizations",
        sa.Column("session_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("organization_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "user_id"],
            ["memberships.organization_id", "memberships.user_id"],
            name=op.f("fk_current_organizations_organization_id_user_id_memberships"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "session_id"],
            ["sessions.user_id", "sessions.id"],
            name=op.f("fk_current_organizations_user_id_session_id_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_current_organizations")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("current_organizations", schema=None) as batch_op:
        batch_op.create_index(
            "ix_current_organizations_organization_id_user_id", ["organization_id", "user_id"], unique=False
        )
        batch_op.create_index("ix_current_organizations_user_id_session_id", ["user_id", "session_id"], unique=False)

    op.create_table(
        "customers",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "provider IN ('stripe', 'polar', 'lemonsqueezy', 'fake')", name=op.f("ck_customers_provider_known")
        ),
        sa.CheckConstraint("length(external_id) BETWEEN 1 AND 255", name=op.f("ck_customers_external_id_length")),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["holders.id"], name=op.f("fk_customers_holder_id_holders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("holder_id", "id", name=op.f("uq_customers_holder_id_id")),
        sa.UniqueConstraint("holder_id", "provider", name=op.f("uq_customers_holder_id_provider")),
        sa.UniqueConstraint("provider", "external_id", name=op.f("uq_customers_provider_external_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("intent", sa.Text(), nullable=True),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("subscription_external_id", sa.Text(), nullable=True),
        sa.Column("price_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "refunded_minor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False
        ),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("receipt_url", sa.Text(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("period_start", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("period_end", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("version", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "provider IN ('stripe', 'polar', 'lemonsqueezy', 'fake')", name=op.f("ck_payments_provider_known")
        ),
        sa.CheckConstraint("reason IN ('initial', 'renewal', 'change', 'once')", name=op.f("ck_payments_reason_known")),
        sa.CheckConstraint(
            "status IN ('pending', 'paid', 'failed', 'partially_refunded', 'refunded', 'void')",
            name=op.f("ck_payments_status_known"),
        ),
        sa.CheckConstraint("amount_minor >= 0 AND refunded_minor >= 0", name=op.f("ck_payments_amount_minor_counted")),
        sa.CheckConstraint("length(currency) BETWEEN 3 AND 3", name=op.f("ck_payments_currency_length")),
        sa.CheckConstraint("length(external_id) BETWEEN 1 AND 255", name=op.f("ck_payments_external_id_length")),
        sa.CheckConstraint("refunded_minor <= amount_minor", name=op.f("ck_payments_refunded_minor_bounded")),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["holders.id"], name=op.f("fk_payments_holder_id_holders"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["price_id"], ["prices.id"], name=op.f("fk_payments_price_id_prices"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("provider", "external_id", name=op.f("uq_payments_provider_external_id")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.create_index("ix_payments_holder_id_created_at", ["holder_id", "created_at"], unique=False)
        batch_op.create_index("ix_payments_paid", [sa.literal_column("coalesce(paid_at, created_at)")], unique=False)
        batch_op.create_index("ix_payments_price_id", ["price_id"], unique=False)
        batch_op.create_index("ix_payments_provider_customer", ["provider", "customer"], unique=False)
        batch_op.create_index("ix_payments_provider_intent", ["provider", "intent"], unique=False)
        batch_op.create_index(
            "ix_payments_provider_subscription_external_id", ["provider", "subscription_external_id"], unique=False
        )

    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("price_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("raw_status", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="1", nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("period_end", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("trial_ends_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("cancel_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("resumes_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("past_due_since", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("access_until", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("version", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "provider IN ('stripe', 'polar', 'lemonsqueezy', 'fake')", name=op.f("ck_subscriptions_provider_known")
        ),
        sa.CheckConstraint(
            "status IN ('incomplete', 'trialing', 'active', 'past_due', 'unpaid', 'paused', 'canceled', 'expired')",
            name=op.f("ck_subscriptions_status_known"),
        ),
        sa.CheckConstraint("length(external_id) BETWEEN 1 AND 255", name=op.f("ck_subscriptions_external_id_length")),
        sa.CheckConstraint("length(raw_status) BETWEEN 1 AND 100", name=op.f("ck_subscriptions_raw_status_length")),
        sa.CheckConstraint("period_end >= period_start", name=op.f("ck_subscriptions_period_forward")),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_subscriptions_quantity_counted")),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["holders.id"], name=op.f("fk_subscriptions_holder_id_holders"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["plan"], ["plans.name"], name=op.f("fk_subscriptions_plan_plans"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["price_id"], ["prices.id"], name=op.f("fk_subscriptions_price_id_prices"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("holder_id", "id", name=op.f("uq_subscriptions_holder_id_id")),
        sa.UniqueConstraint("provider", "external_id", name=op.f("uq_subscriptions_provider_external_id")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.create_index("ix_subscriptions_holder_id_status", ["holder_id", "status"], unique=False)
        batch_op.create_index("ix_subscriptions_plan_id", ["plan", "id"], unique=False)
        batch_op.create_index("ix_subscriptions_price_id", ["price_id"], unique=False)
        batch_op.create_index("ix_subscriptions_provider_customer", ["provider", "customer"], unique=False)
        batch_op.create_index("ix_subscriptions_status_access_until", ["status", "access_until"], unique=False)
        batch_op.create_index("ix_subscriptions_status_id", ["status", "id"], unique=False)
        batch_op.create_index("ix_subscriptions_trial_ends_at", ["trial_ends_at"], unique=False)
        batch_op.create_index(
            "ix_subscriptions_unlinked",
            ["email"],
            unique=False,
            postgresql_where=sa.text("holder_id IS NULL"),
            sqlite_where=sa.text("holder_id IS NULL"),
        )
        batch_op.create_index(
            "uq_subscriptions_holder_id_slot",
            ["holder_id", "slot"],
            unique=True,
            postgresql_where=sa.text("status IN ('trialing', 'active', 'past_due', 'unpaid', 'paused')"),
            sqlite_where=sa.text("status IN ('trialing', 'active', 'past_due', 'unpaid', 'paused')"),
        )

    op.create_table(
        "usage_counters",
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("window_end", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("quota", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("used", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("leased", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False),
        sa.Column("granted", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False),
        sa.Column("overrun", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False),
        sa.Column("holder_revision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("length(meter) BETWEEN 1 AND 100", name=op.f("ck_usage_counters_meter_length")),
        sa.CheckConstraint("quota > 0", name=op.f("ck_usage_counters_quota_counted")),
        sa.CheckConstraint("used + leased <= quota", name=op.f("ck_usage_counters_within_quota")),
        sa.CheckConstraint("used >= 0 AND leased >= 0 AND overrun >= 0", name=op.f("ck_usage_counters_units_counted")),
        sa.CheckConstraint("window_end > window_start", name=op.f("ck_usage_counters_window_forward")),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["holders.id"], name=op.f("fk_usage_counters_holder_id_holders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("holder_id", "meter", "window_start", name=op.f("pk_usage_counters")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("usage_counters", schema=None) as batch_op:
        batch_op.create_index("ix_usage_counters_meter_window_start", ["meter", "window_start"], unique=False)
        batch_op.create_index("ix_usage_counters_window_end", ["window_end"], unique=False)

    op.create_table(
        "usage_gauges",
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("gauge", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("length(gauge) BETWEEN 1 AND 100", name=op.f("ck_usage_gauges_gauge_length")),
        sa.CheckConstraint("value >= 0", name=op.f("ck_usage_gauges_value_counted")),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["holders.id"], name=op.f("fk_usage_gauges_holder_id_holders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("holder_id", "gauge", name=op.f("pk_usage_gauges")),
        sqlite_strict=True,
    )
    op.create_table(
        "api_call_hours",
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("key_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("bucket_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("calls", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("errors", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("latency_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint(
            "calls > 0 AND errors BETWEEN 0 AND calls AND latency_ms >= 0", name=op.f("ck_api_call_hours_calls_counted")
        ),
        sa.CheckConstraint("length(endpoint) BETWEEN 1 AND 500", name=op.f("ck_api_call_hours_endpoint_length")),
        sa.ForeignKeyConstraint(
            ["holder_id", "key_id"],
            ["api_keys.holder_id", "api_keys.id"],
            name=op.f("fk_api_call_hours_holder_id_key_id_api_keys"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "holder_id", "key_id", "hour", "method", "endpoint", "bucket_ms", name=op.f("pk_api_call_hours")
        ),
        sqlite_strict=True,
    )
    with op.batch_alter_table("api_call_hours", schema=None) as batch_op:
        batch_op.create_index("ix_api_call_hours_hour", ["hour"], unique=False)

    op.create_table(
        "api_calls",
        sa.Column("at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("key_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("status", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("latency_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("request_body", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("response_body", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.CheckConstraint("latency_ms >= 0", name=op.f("ck_api_calls_latency_counted")),
        sa.CheckConstraint("length(endpoint) BETWEEN 1 AND 500", name=op.f("ck_api_calls_endpoint_length")),
        sa.CheckConstraint("length(method) BETWEEN 1 AND 20", name=op.f("ck_api_calls_method_length")),
        sa.CheckConstraint("length(request_id) BETWEEN 1 AND 100", name=op.f("ck_api_calls_request_id_length")),
        sa.CheckConstraint("status BETWEEN 0 AND 999", name=op.f("ck_api_calls_status_counted")),
        sa.ForeignKeyConstraint(
            ["holder_id", "key_id"],
            ["api_keys.holder_id", "api_keys.id"],
            name=op.f("fk_api_calls_holder_id_key_id_api_keys"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("at", "id", name=op.f("pk_api_calls")),
        postgresql_partition_by="RANGE (at)",
        sqlite_strict=True,
    )
    with op.batch_alter_table("api_calls", schema=None) as batch_op:
        batch_op.create_index("ix_api_calls_holder_id_key_id_at", ["holder_id", "key_id", "at"], unique=False)

    op.create_table(
        "credit_grants",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("fact", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("remaining", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revoked", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("detail", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "reason IN ('payment', 'period', 'admin', 'gift', 'other')", name=op.f("ck_credit_grants_reason_known")
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_credit_grants_amount_counted")),
        sa.CheckConstraint("length(fact) BETWEEN 1 AND 700", name=op.f("ck_credit_grants_fact_length")),
        sa.CheckConstraint("remaining BETWEEN 0 AND amount", name=op.f("ck_credit_grants_remaining_within")),
        sa.CheckConstraint("revoked BETWEEN 0 AND amount", name=op.f("ck_credit_grants_revoked_within")),
        sa.ForeignKeyConstraint(
            ["holder_id"],
            ["credit_accounts.holder_id"],
            name=op.f("fk_credit_grants_holder_id_credit_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_grants")),
        sa.UniqueConstraint("holder_id", "fact", name=op.f("uq_credit_grants_holder_id_fact")),
        sa.UniqueConstraint("holder_id", "id", name=op.f("uq_credit_grants_holder_id_id")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("credit_grants", schema=None) as batch_op:
        batch_op.create_index(
            "ix_credit_grants_due",
            ["expires_at"],
            unique=False,
            postgresql_where=sa.text("remaining > 0"),
            sqlite_where=sa.text("remaining > 0"),
        )
        batch_op.create_index("ix_credit_grants_holder_id_remaining", ["holder_id", "remaining"], unique=False)
        batch_op.create_index("ix_credit_grants_holder_id_series", ["holder_id", "series"], unique=False)

    op.create_table(
        "credit_reservations",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("amount", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("used", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("settled", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("status", sa.Text(), server_default="held", nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(status = 'settled') = (settled IS NOT NULL)", name=op.f("ck_credit_reservations_settled_known")
        ),
        sa.CheckConstraint(
            "status IN ('held', 'settled', 'released', 'expired')", name=op.f("ck_credit_reservations_status_known")
        ),
        sa.CheckConstraint("(used IS NULL) = (settled IS NULL)", name=op.f("ck_credit_reservations_used_known")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_credit_reservations_amount_counted")),
        sa.CheckConstraint("length(label) BETWEEN 1 AND 200", name=op.f("ck_credit_reservations_label_length")),
        sa.CheckConstraint("settled BETWEEN 0 AND used", name=op.f("ck_credit_reservations_settled_within")),
        sa.ForeignKeyConstraint(
            ["holder_id"],
            ["credit_accounts.holder_id"],
            name=op.f("fk_credit_reservations_holder_id_credit_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_reservations")),
        sa.UniqueConstraint("holder_id", "id", name=op.f("uq_credit_reservations_holder_id_id")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("credit_reservations", schema=None) as batch_op:
        batch_op.create_index("ix_credit_reservations_holder_id_status", ["holder_id", "status"], unique=False)
        batch_op.create_index("ix_credit_reservations_status_expires_at", ["status", "expires_at"], unique=False)

    op.create_table(
        "usage_notices",
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("percent", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint("percent BETWEEN 1 AND 100", name=op.f("ck_usage_notices_percent_counted")),
        sa.ForeignKeyConstraint(
            ["holder_id", "meter", "window_start"],
            ["usage_counters.holder_id", "usage_counters.meter", "usage_counters.window_start"],
            name=op.f("fk_usage_notices_holder_id_meter_window_start_usage_counters"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["holders.id"], name=op.f("fk_usage_notices_holder_id_holders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("holder_id", "meter", "window_start", "percent", name=op.f("pk_usage_notices")),
        sqlite_strict=True,
    )
    op.create_table(
        "usage_reservations",
        sa.Column("id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("units", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("settled", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("status", sa.Text(), server_default="held", nullable=False),
        sa.Column("on_expiry", sa.Text(), server_default="settle", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(status IN ('settled', 'expired')) = (settled IS NOT NULL)",
            name=op.f("ck_usage_reservations_settled_known"),
        ),
        sa.CheckConstraint("on_expiry IN ('settle', 'release')", name=op.f("ck_usage_reservations_on_expiry_known")),
        sa.CheckConstraint(
            "status IN ('held', 'settled', 'released', 'expired')", name=op.f("ck_usage_reservations_status_known")
        ),
        sa.CheckConstraint("settled >= 0", name=op.f("ck_usage_reservations_settled_counted")),
        sa.CheckConstraint("units > 0", name=op.f("ck_usage_reservations_units_counted")),
        sa.ForeignKeyConstraint(
            ["holder_id", "meter", "window_start"],
            ["usage_counters.holder_id", "usage_counters.meter", "usage_counters.window_start"],
            name="fk_usage_reservations_usage_counters",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_reservations")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("usage_reservations", schema=None) as batch_op:
        batch_op.create_index(
            "ix_usage_reservations_holder_id_meter_window_start", ["holder_id", "meter", "window_start"], unique=False
        )
        batch_op.create_index("ix_usage_reservations_status_expires_at", ["status", "expires_at"], unique=False)

    op.create_table(
        "credit_entries",
        sa.Column("holder_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("balance_after", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("grant_id", sa.Uuid().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("parts", postgresql.JSONB().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            server_default=_now(),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(kind = 'grant' AND amount > 0) OR (kind <> 'grant' AND amount < 0)",
            name=op.f("ck_credit_entries_amount_signed"),
        ),
        sa.CheckConstraint(
            "kind IN ('grant', 'spend', 'expire', 'revoke', 'set')", name=op.f("ck_credit_entries_kind_known")
        ),
        sa.CheckConstraint("balance_after >= 0", name=op.f("ck_credit_entries_balance_after_counted")),
        sa.CheckConstraint("length(label) BETWEEN 1 AND 200", name=op.f("ck_credit_entries_label_length")),
        sa.CheckConstraint("length(reference) BETWEEN 1 AND 200", name=op.f("ck_credit_entries_reference_length")),
        sa.CheckConstraint("number > 0", name=op.f("ck_credit_entries_number_counted")),
        sa.ForeignKeyConstraint(
            ["holder_id", "grant_id"],
            ["credit_grants.holder_id", "credit_grants.id"],
            name=op.f("fk_credit_entries_holder_id_grant_id_credit_grants"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["holder_id"],
            ["credit_accounts.holder_id"],
            name=op.f("fk_credit_entries_holder_id_credit_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("holder_id", "number", name=op.f("pk_credit_entries")),
        sa.UniqueConstraint("holder_id", "reference", name=op.f("uq_credit_entries_holder_id_reference")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("credit_entries", schema=None) as batch_op:
        batch_op.create_index("ix_credit_entries_holder_id_grant_id", ["holder_id", "grant_id"], unique=False)

    _run(
        "postgresql",
        "CREATE TRIGGER attempts_touch BEFORE UPDATE ON attempts FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE attempts ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE attempts FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON attempts FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON attempts TO service_role",
        "CREATE POLICY attempts_service_role_select ON attempts FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON attempts TO service_role",
        "CREATE POLICY attempts_service_role_insert ON attempts FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON attempts TO service_role",
        "CREATE POLICY attempts_service_role_update ON attempts FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON attempts TO service_role",
        "CREATE POLICY attempts_service_role_delete ON attempts FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER attempts_touch AFTER UPDATE ON attempts FOR EACH ROW BEGIN UPDATE attempts SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE key = NEW.key; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION tenantry.refuse_change()",
        "CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION tenantry.refuse_change()",
        "ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE audit_log FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON audit_log FROM PUBLIC, anon, authenticated, service_role",
        "GRANT INSERT (id, actor_id, actor_kind, action, subject_kind, subject_id, reason, detail, request_id, address, impersonator_id) ON audit_log TO authenticated",
        "CREATE POLICY audit_log_authenticated_insert ON audit_log FOR INSERT TO authenticated WITH CHECK (audit_log.actor_id = (select tenantry.uid()))",
        "GRANT SELECT ON audit_log TO service_role",
        "CREATE POLICY audit_log_service_role_select ON audit_log FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON audit_log TO service_role",
        "CREATE POLICY audit_log_service_role_insert ON audit_log FOR INSERT TO service_role WITH CHECK (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END",
        "CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END",
        "CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END",
    )
    _run(
        "postgresql",
        "ALTER TABLE billing_events ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE billing_events FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON billing_events FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON billing_events TO service_role",
        "CREATE POLICY billing_events_service_role_select ON billing_events FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON billing_events TO service_role",
        "CREATE POLICY billing_events_service_role_insert ON billing_events FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON billing_events TO service_role",
        "CREATE POLICY billing_events_service_role_update ON billing_events FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON billing_events TO service_role",
        "CREATE POLICY billing_events_service_role_delete ON billing_events FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "ALTER TABLE billing_locks ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE billing_locks FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON billing_locks FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON billing_locks TO service_role",
        "CREATE POLICY billing_locks_service_role_select ON billing_locks FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON billing_locks TO service_role",
        "CREATE POLICY billing_locks_service_role_insert ON billing_locks FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON billing_locks TO service_role",
        "CREATE POLICY billing_locks_service_role_update ON billing_locks FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON billing_locks TO service_role",
        "CREATE POLICY billing_locks_service_role_delete ON billing_locks FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER idempotency_keys_touch BEFORE UPDATE ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON idempotency_keys FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT (id, actor_id, lease, status, answer) ON idempotency_keys TO authenticated",
        "CREATE POLICY idempotency_keys_authenticated_select ON idempotency_keys FOR SELECT TO authenticated USING (idempotency_keys.actor_id = (select tenantry.uid()))",
        "GRANT UPDATE (status, answer) ON idempotency_keys TO authenticated",
        "CREATE POLICY idempotency_keys_authenticated_update ON idempotency_keys FOR UPDATE TO authenticated USING (idempotency_keys.actor_id = (select tenantry.uid())) WITH CHECK (idempotency_keys.actor_id = (select tenantry.uid()))",
        "GRANT SELECT ON idempotency_keys TO service_role",
        "CREATE POLICY idempotency_keys_service_role_select ON idempotency_keys FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON idempotency_keys TO service_role",
        "CREATE POLICY idempotency_keys_service_role_insert ON idempotency_keys FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON idempotency_keys TO service_role",
        "CREATE POLICY idempotency_keys_service_role_update ON idempotency_keys FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON idempotency_keys TO service_role",
        "CREATE POLICY idempotency_keys_service_role_delete ON idempotency_keys FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER idempotency_keys_touch AFTER UPDATE ON idempotency_keys FOR EACH ROW BEGIN UPDATE idempotency_keys SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER jobs_touch BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE jobs ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE jobs FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON jobs FROM PUBLIC, anon, authenticated, service_role",
        "GRANT INSERT (id, name, payload, actor_id, attempts_max, once_key) ON jobs TO authenticated",
        "CREATE POLICY jobs_authenticated_insert ON jobs FOR INSERT TO authenticated WITH CHECK (jobs.actor_id = (select tenantry.uid()))",
        "GRANT SELECT ON jobs TO service_role",
        "CREATE POLICY jobs_service_role_select ON jobs FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON jobs TO service_role",
        "CREATE POLICY jobs_service_role_insert ON jobs FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON jobs TO service_role",
        "CREATE POLICY jobs_service_role_update ON jobs FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON jobs TO service_role",
        "CREATE POLICY jobs_service_role_delete ON jobs FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER jobs_touch AFTER UPDATE ON jobs FOR EACH ROW BEGIN UPDATE jobs SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER mails_touch BEFORE UPDATE ON mails FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE mails ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE mails FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON mails FROM PUBLIC, anon, authenticated, service_role",
        "GRANT INSERT (id, actor_id, recipient, subject, text, html) ON mails TO authenticated",
        "CREATE POLICY mails_authenticated_insert ON mails FOR INSERT TO authenticated WITH CHECK (mails.actor_id = (select tenantry.uid()))",
        "GRANT SELECT ON mails TO service_role",
        "CREATE POLICY mails_service_role_select ON mails FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON mails TO service_role",
        "CREATE POLICY mails_service_role_insert ON mails FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON mails TO service_role",
        "CREATE POLICY mails_service_role_update ON mails FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON mails TO service_role",
        "CREATE POLICY mails_service_role_delete ON mails FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER mails_touch AFTER UPDATE ON mails FOR EACH ROW BEGIN UPDATE mails SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "ALTER TABLE notices ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE notices FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON notices FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON notices TO service_role",
        "CREATE POLICY notices_service_role_select ON notices FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON notices TO service_role",
        "CREATE POLICY notices_service_role_insert ON notices FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON notices TO service_role",
        "CREATE POLICY notices_service_role_update ON notices FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON notices TO service_role",
        "CREATE POLICY notices_service_role_delete ON notices FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER organizations_touch BEFORE UPDATE ON organizations FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE organizations ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE organizations FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON organizations FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON organizations TO authenticated",
        "CREATE POLICY organizations_authenticated_select ON organizations FOR SELECT TO authenticated USING ((organizations.id = ANY ((select tenantry.organization_ids())::uuid[])))",
        "GRANT SELECT ON organizations TO service_role",
        "CREATE POLICY organizations_service_role_select ON organizations FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON organizations TO service_role",
        "CREATE POLICY organizations_service_role_insert ON organizations FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON organizations TO service_role",
        "CREATE POLICY organizations_service_role_update ON organizations FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON organizations TO service_role",
        "CREATE POLICY organizations_service_role_delete ON organizations FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER organizations_touch AFTER UPDATE ON organizations FOR EACH ROW BEGIN UPDATE organizations SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER plans_touch BEFORE UPDATE ON plans FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE plans ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE plans FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON plans FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON plans TO anon",
        "CREATE POLICY plans_anon_select ON plans FOR SELECT TO anon USING (true)",
        "GRANT SELECT ON plans TO authenticated",
        "CREATE POLICY plans_authenticated_select ON plans FOR SELECT TO authenticated USING (true)",
        "GRANT SELECT ON plans TO service_role",
        "CREATE POLICY plans_service_role_select ON plans FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON plans TO service_role",
        "CREATE POLICY plans_service_role_insert ON plans FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON plans TO service_role",
        "CREATE POLICY plans_service_role_update ON plans FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON plans TO service_role",
        "CREATE POLICY plans_service_role_delete ON plans FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER plans_touch AFTER UPDATE ON plans FOR EACH ROW BEGIN UPDATE plans SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE name = NEW.name; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER products_touch BEFORE UPDATE ON products FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE products ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE products FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON products FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON products TO anon",
        "CREATE POLICY products_anon_select ON products FOR SELECT TO anon USING (true)",
        "GRANT SELECT ON products TO authenticated",
        "CREATE POLICY products_authenticated_select ON products FOR SELECT TO authenticated USING (true)",
        "GRANT SELECT ON products TO service_role",
        "CREATE POLICY products_service_role_select ON products FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON products TO service_role",
        "CREATE POLICY products_service_role_insert ON products FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON products TO service_role",
        "CREATE POLICY products_service_role_update ON products FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON products TO service_role",
        "CREATE POLICY products_service_role_delete ON products FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER products_touch AFTER UPDATE ON products FOR EACH ROW BEGIN UPDATE products SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER users_touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE users FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON users FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON users TO authenticated",
        "CREATE POLICY users_authenticated_select ON users FOR SELECT TO authenticated USING (users.id = (select tenantry.uid()))",
        "GRANT UPDATE (name, image, company) ON users TO authenticated",
        "CREATE POLICY users_authenticated_update ON users FOR UPDATE TO authenticated USING (users.id = (select tenantry.uid())) WITH CHECK (users.id = (select tenantry.uid()))",
        "GRANT SELECT ON users TO service_role",
        "CREATE POLICY users_service_role_select ON users FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON users TO service_role",
        "CREATE POLICY users_service_role_insert ON users FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON users TO service_role",
        "CREATE POLICY users_service_role_update ON users FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON users TO service_role",
        "CREATE POLICY users_service_role_delete ON users FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER users_touch AFTER UPDATE ON users FOR EACH ROW BEGIN UPDATE users SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER accounts_touch BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE accounts ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE accounts FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON accounts FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT (id, user_id, type, provider, issuer, provider_account_id, email, scope, last_used_at, created_at, updated_at) ON accounts TO authenticated",
        "CREATE POLICY accounts_authenticated_select ON accounts FOR SELECT TO authenticated USING (accounts.user_id = (select tenantry.uid()))",
        "GRANT SELECT ON accounts TO service_role",
        "CREATE POLICY accounts_service_role_select ON accounts FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON accounts TO service_role",
        "CREATE POLICY accounts_service_role_insert ON accounts FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON accounts TO service_role",
        "CREATE POLICY accounts_service_role_update ON accounts FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON accounts TO service_role",
        "CREATE POLICY accounts_service_role_delete ON accounts FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER accounts_touch AFTER UPDATE ON accounts FOR EACH ROW BEGIN UPDATE accounts SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "ALTER TABLE address_changes ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE address_changes FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON address_changes FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON address_changes TO authenticated",
        "CREATE POLICY address_changes_authenticated_select ON address_changes FOR SELECT TO authenticated USING (address_changes.user_id = (select tenantry.uid()))",
        "GRANT DELETE ON address_changes TO authenticated",
        "CREATE POLICY address_changes_authenticated_delete ON address_changes FOR DELETE TO authenticated USING (address_changes.user_id = (select tenantry.uid()))",
        "GRANT SELECT ON address_changes TO service_role",
        "CREATE POLICY address_changes_service_role_select ON address_changes FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON address_changes TO service_role",
        "CREATE POLICY address_changes_service_role_insert ON address_changes FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON address_changes TO service_role",
        "CREATE POLICY address_changes_service_role_update ON address_changes FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON address_changes TO service_role",
        "CREATE POLICY address_changes_service_role_delete ON address_changes FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "ALTER TABLE invitations ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE invitations FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON invitations FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT (id, organization_id, email, role, invited_by, status, expires_at, sent_at, decided_at, created_at) ON invitations TO authenticated",
        "CREATE POLICY invitations_authenticated_select ON invitations FOR SELECT TO authenticated USING ((invitations.organization_id = ANY ((select tenantry.organization_ids())::uuid[])))",
        "GRANT SELECT ON invitations TO service_role",
        "CREATE POLICY invitations_service_role_select ON invitations FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON invitations TO service_role",
        "CREATE POLICY invitations_service_role_insert ON invitations FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON invitations TO service_role",
        "CREATE POLICY invitations_service_role_update ON invitations FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON invitations TO service_role",
        "CREATE POLICY invitations_service_role_delete ON invitations FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER memberships_touch BEFORE UPDATE ON memberships FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE memberships ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE memberships FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON memberships FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON memberships TO authenticated",
        "CREATE POLICY memberships_authenticated_select ON memberships FOR SELECT TO authenticated USING (memberships.user_id = (select tenantry.uid()) OR (memberships.organization_id = ANY ((select tenantry.organization_ids())::uuid[])))",
        "GRANT SELECT ON memberships TO service_role",
        "CREATE POLICY memberships_service_role_select ON memberships FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON memberships TO service_role",
        "CREATE POLICY memberships_service_role_insert ON memberships FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON memberships TO service_role",
        "CREATE POLICY memberships_service_role_update ON memberships FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON memberships TO service_role",
        "CREATE POLICY memberships_service_role_delete ON memberships FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER memberships_touch AFTER UPDATE ON memberships FOR EACH ROW BEGIN UPDATE memberships SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE organization_id = NEW.organization_id AND user_id = NEW.user_id; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER passkeys_touch BEFORE UPDATE ON passkeys FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE passkeys ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE passkeys FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON passkeys FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON passkeys TO authenticated",
        "CREATE POLICY passkeys_authenticated_select ON passkeys FOR SELECT TO authenticated USING (passkeys.user_id = (select tenantry.uid()))",
        "GRANT UPDATE (name) ON passkeys TO authenticated",
        "CREATE POLICY passkeys_authenticated_update ON passkeys FOR UPDATE TO authenticated USING (passkeys.user_id = (select tenantry.uid())) WITH CHECK (passkeys.user_id = (select tenantry.uid()))",
        "GRANT SELECT ON passkeys TO service_role",
        "CREATE POLICY passkeys_service_role_select ON passkeys FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON passkeys TO service_role",
        "CREATE POLICY passkeys_service_role_insert ON passkeys FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON passkeys TO service_role",
        "CREATE POLICY passkeys_service_role_update ON passkeys FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON passkeys TO service_role",
        "CREATE POLICY passkeys_service_role_delete ON passkeys FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER passkeys_touch AFTER UPDATE ON passkeys FOR EACH ROW BEGIN UPDATE passkeys SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER passwords_touch BEFORE UPDATE ON passwords FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE passwords ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE passwords FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON passwords FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON passwords TO service_role",
        "CREATE POLICY passwords_service_role_select ON passwords FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON passwords TO service_role",
        "CREATE POLICY passwords_service_role_insert ON passwords FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON passwords TO service_role",
        "CREATE POLICY passwords_service_role_update ON passwords FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON passwords TO service_role",
        "CREATE POLICY passwords_service_role_delete ON passwords FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER passwords_touch AFTER UPDATE ON passwords FOR EACH ROW BEGIN UPDATE passwords SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE user_id = NEW.user_id; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER prices_touch BEFORE UPDATE ON prices FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE prices ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE prices FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON prices FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON prices TO anon",
        "CREATE POLICY prices_anon_select ON prices FOR SELECT TO anon USING (true)",
        "GRANT SELECT ON prices TO authenticated",
        "CREATE POLICY prices_authenticated_select ON prices FOR SELECT TO authenticated USING (true)",
        "GRANT SELECT ON prices TO service_role",
        "CREATE POLICY prices_service_role_select ON prices FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON prices TO service_role",
        "CREATE POLICY prices_service_role_insert ON prices FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON prices TO service_role",
        "CREATE POLICY prices_service_role_update ON prices FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON prices TO service_role",
        "CREATE POLICY prices_service_role_delete ON prices FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER prices_touch AFTER UPDATE ON prices FOR EACH ROW BEGIN UPDATE prices SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "ALTER TABLE recovery_codes ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE recovery_codes FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON recovery_codes FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT (id, user_id, used_at, created_at) ON recovery_codes TO authenticated",
        "CREATE POLICY recovery_codes_authenticated_select ON recovery_codes FOR SELECT TO authenticated USING (recovery_codes.user_id = (select tenantry.uid()))",
        "GRANT SELECT ON recovery_codes TO service_role",
        "CREATE POLICY recovery_codes_service_role_select ON recovery_codes FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON recovery_codes TO service_role",
        "CREATE POLICY recovery_codes_service_role_insert ON recovery_codes FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON recovery_codes TO service_role",
        "CREATE POLICY recovery_codes_service_role_update ON recovery_codes FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON recovery_codes TO service_role",
        "CREATE POLICY recovery_codes_service_role_delete ON recovery_codes FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "ALTER TABLE totp_secrets ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE totp_secrets FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON totp_secrets FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT (user_id, confirmed_at, created_at) ON totp_secrets TO authenticated",
        "CREATE POLICY totp_secrets_authenticated_select ON totp_secrets FOR SELECT TO authenticated USING (totp_secrets.user_id = (select tenantry.uid()))",
        "GRANT SELECT ON totp_secrets TO service_role",
        "CREATE POLICY totp_secrets_service_role_select ON totp_secrets FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON totp_secrets TO service_role",
        "CREATE POLICY totp_secrets_service_role_insert ON totp_secrets FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON totp_secrets TO service_role",
        "CREATE POLICY totp_secrets_service_role_update ON totp_secrets FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON totp_secrets TO service_role",
        "CREATE POLICY totp_secrets_service_role_delete ON totp_secrets FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER trial_workspaces_touch BEFORE UPDATE ON trial_workspaces FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE trial_workspaces ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE trial_workspaces FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON trial_workspaces FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON trial_workspaces TO authenticated",
        "CREATE POLICY trial_workspaces_authenticated_select ON trial_workspaces FOR SELECT TO authenticated USING (trial_workspaces.user_id = (select tenantry.uid()))",
        "GRANT SELECT ON trial_workspaces TO service_role",
        "CREATE POLICY trial_workspaces_service_role_select ON trial_workspaces FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON trial_workspaces TO service_role",
        "CREATE POLICY trial_workspaces_service_role_insert ON trial_workspaces FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON trial_workspaces TO service_role",
        "CREATE POLICY trial_workspaces_service_role_update ON trial_workspaces FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON trial_workspaces TO service_role",
        "CREATE POLICY trial_workspaces_service_role_delete ON trial_workspaces FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER trial_workspaces_touch AFTER UPDATE ON trial_workspaces FOR EACH ROW BEGIN UPDATE trial_workspaces SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "ALTER TABLE verification_tokens ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE verification_tokens FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON verification_tokens FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON verification_tokens TO service_role",
        "CREATE POLICY verification_tokens_service_role_select ON verification_tokens FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON verification_tokens TO service_role",
        "CREATE POLICY verification_tokens_service_role_insert ON verification_tokens FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON verification_tokens TO service_role",
        "CREATE POLICY verification_tokens_service_role_update ON verification_tokens FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON verification_tokens TO service_role",
        "CREATE POLICY verification_tokens_service_role_delete ON verification_tokens FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER holders_touch BEFORE UPDATE ON holders FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE holders ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE holders FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON holders FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON holders TO authenticated",
        "CREATE POLICY holders_authenticated_select ON holders FOR SELECT TO authenticated USING (holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[])))",
        "GRANT SELECT ON holders TO service_role",
        "CREATE POLICY holders_service_role_select ON holders FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON holders TO service_role",
        "CREATE POLICY holders_service_role_insert ON holders FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON holders TO service_role",
        "CREATE POLICY holders_service_role_update ON holders FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON holders TO service_role",
        "CREATE POLICY holders_service_role_delete ON holders FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER holders_touch AFTER UPDATE ON holders FOR EACH ROW BEGIN UPDATE holders SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "ALTER TABLE sessions ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE sessions FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON sessions FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT (id, user_id, account_id, method, expires_at, authenticated_at, last_seen_at, address, user_agent, created_at, impersonator_id, reason) ON sessions TO authenticated",
        "CREATE POLICY sessions_authenticated_select ON sessions FOR SELECT TO authenticated USING (sessions.user_id = (select tenantry.uid()))",
        "GRANT SELECT ON sessions TO service_role",
        "CREATE POLICY sessions_service_role_select ON sessions FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON sessions TO service_role",
        "CREATE POLICY sessions_service_role_insert ON sessions FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON sessions TO service_role",
        "CREATE POLICY sessions_service_role_update ON sessions FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON sessions TO service_role",
        "CREATE POLICY sessions_service_role_delete ON sessions FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "ALTER TABLE subscription_terms ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE subscription_terms FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON subscription_terms FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON subscription_terms TO service_role",
        "CREATE POLICY subscription_terms_service_role_select ON subscription_terms FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON subscription_terms TO service_role",
        "CREATE POLICY subscription_terms_service_role_insert ON subscription_terms FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON subscription_terms TO service_role",
        "CREATE POLICY subscription_terms_service_role_update ON subscription_terms FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON subscription_terms TO service_role",
        "CREATE POLICY subscription_terms_service_role_delete ON subscription_terms FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER api_keys_touch BEFORE UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE api_keys FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON api_keys FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT (id, holder_id, made_by, label, prefix, ending, scopes, tier, status, expires_at, revoked_at, last_used_at, successor_id, created_at, updated_at) ON api_keys TO authenticated",
        "CREATE POLICY api_keys_authenticated_select ON api_keys FOR SELECT TO authenticated USING (api_keys.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON api_keys TO service_role",
        "CREATE POLICY api_keys_service_role_select ON api_keys FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON api_keys TO service_role",
        "CREATE POLICY api_keys_service_role_insert ON api_keys FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON api_keys TO service_role",
        "CREATE POLICY api_keys_service_role_update ON api_keys FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON api_keys TO service_role",
        "CREATE POLICY api_keys_service_role_delete ON api_keys FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER api_keys_touch AFTER UPDATE ON api_keys FOR EACH ROW BEGIN UPDATE api_keys SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "ALTER TABLE billing_facts ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE billing_facts FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON billing_facts FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON billing_facts TO service_role",
        "CREATE POLICY billing_facts_service_role_select ON billing_facts FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON billing_facts TO service_role",
        "CREATE POLICY billing_facts_service_role_insert ON billing_facts FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON billing_facts TO service_role",
        "CREATE POLICY billing_facts_service_role_update ON billing_facts FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON billing_facts TO service_role",
        "CREATE POLICY billing_facts_service_role_delete ON billing_facts FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "ALTER TABLE credit_accounts ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE credit_accounts FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON credit_accounts FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON credit_accounts TO authenticated",
        "CREATE POLICY credit_accounts_authenticated_select ON credit_accounts FOR SELECT TO authenticated USING (credit_accounts.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON credit_accounts TO service_role",
        "CREATE POLICY credit_accounts_service_role_select ON credit_accounts FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON credit_accounts TO service_role",
        "CREATE POLICY credit_accounts_service_role_insert ON credit_accounts FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON credit_accounts TO service_role",
        "CREATE POLICY credit_accounts_service_role_update ON credit_accounts FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON credit_accounts TO service_role",
        "CREATE POLICY credit_accounts_service_role_delete ON credit_accounts FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "ALTER TABLE current_organizations ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE current_organizations FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON current_organizations FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON current_organizations TO authenticated",
        "CREATE POLICY current_organizations_authenticated_select ON current_organizations FOR SELECT TO authenticated USING (current_organizations.user_id = (select tenantry.uid()))",
        "GRANT SELECT ON current_organizations TO service_role",
        "CREATE POLICY current_organizations_service_role_select ON current_organizations FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON current_organizations TO service_role",
        "CREATE POLICY current_organizations_service_role_insert ON current_organizations FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON current_organizations TO service_role",
        "CREATE POLICY current_organizations_service_role_update ON current_organizations FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON current_organizations TO service_role",
        "CREATE POLICY current_organizations_service_role_delete ON current_organizations FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER customers_touch BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE customers ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE customers FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON customers FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON customers TO authenticated",
        "CREATE POLICY customers_authenticated_select ON customers FOR SELECT TO authenticated USING (customers.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON customers TO service_role",
        "CREATE POLICY customers_service_role_select ON customers FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON customers TO service_role",
        "CREATE POLICY customers_service_role_insert ON customers FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON customers TO service_role",
        "CREATE POLICY customers_service_role_update ON customers FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON customers TO service_role",
        "CREATE POLICY customers_service_role_delete ON customers FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER customers_touch AFTER UPDATE ON customers FOR EACH ROW BEGIN UPDATE customers SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER payments_touch BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE payments ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE payments FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON payments FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON payments TO authenticated",
        "CREATE POLICY payments_authenticated_select ON payments FOR SELECT TO authenticated USING (payments.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON payments TO service_role",
        "CREATE POLICY payments_service_role_select ON payments FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON payments TO service_role",
        "CREATE POLICY payments_service_role_insert ON payments FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON payments TO service_role",
        "CREATE POLICY payments_service_role_update ON payments FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON payments TO service_role",
        "CREATE POLICY payments_service_role_delete ON payments FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER payments_touch AFTER UPDATE ON payments FOR EACH ROW BEGIN UPDATE payments SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER subscriptions_touch BEFORE UPDATE ON subscriptions FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE subscriptions ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE subscriptions FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON subscriptions FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON subscriptions TO authenticated",
        "CREATE POLICY subscriptions_authenticated_select ON subscriptions FOR SELECT TO authenticated USING (subscriptions.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON subscriptions TO service_role",
        "CREATE POLICY subscriptions_service_role_select ON subscriptions FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON subscriptions TO service_role",
        "CREATE POLICY subscriptions_service_role_insert ON subscriptions FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON subscriptions TO service_role",
        "CREATE POLICY subscriptions_service_role_update ON subscriptions FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON subscriptions TO service_role",
        "CREATE POLICY subscriptions_service_role_delete ON subscriptions FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER subscriptions_touch AFTER UPDATE ON subscriptions FOR EACH ROW BEGIN UPDATE subscriptions SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER usage_counters_touch BEFORE UPDATE ON usage_counters FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE usage_counters ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE usage_counters FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON usage_counters FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON usage_counters TO authenticated",
        "CREATE POLICY usage_counters_authenticated_select ON usage_counters FOR SELECT TO authenticated USING (usage_counters.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON usage_counters TO service_role",
        "CREATE POLICY usage_counters_service_role_select ON usage_counters FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON usage_counters TO service_role",
        "CREATE POLICY usage_counters_service_role_insert ON usage_counters FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON usage_counters TO service_role",
        "CREATE POLICY usage_counters_service_role_update ON usage_counters FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON usage_counters TO service_role",
        "CREATE POLICY usage_counters_service_role_delete ON usage_counters FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER usage_counters_touch AFTER UPDATE ON usage_counters FOR EACH ROW BEGIN UPDATE usage_counters SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE holder_id = NEW.holder_id AND meter = NEW.meter AND window_start = NEW.window_start; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER usage_gauges_touch BEFORE UPDATE ON usage_gauges FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE usage_gauges ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE usage_gauges FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON usage_gauges FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON usage_gauges TO authenticated",
        "CREATE POLICY usage_gauges_authenticated_select ON usage_gauges FOR SELECT TO authenticated USING (usage_gauges.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON usage_gauges TO service_role",
        "CREATE POLICY usage_gauges_service_role_select ON usage_gauges FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON usage_gauges TO service_role",
        "CREATE POLICY usage_gauges_service_role_insert ON usage_gauges FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON usage_gauges TO service_role",
        "CREATE POLICY usage_gauges_service_role_update ON usage_gauges FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON usage_gauges TO service_role",
        "CREATE POLICY usage_gauges_service_role_delete ON usage_gauges FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER usage_gauges_touch AFTER UPDATE ON usage_gauges FOR EACH ROW BEGIN UPDATE usage_gauges SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE holder_id = NEW.holder_id AND gauge = NEW.gauge; END",
    )
    _run(
        "postgresql",
        "ALTER TABLE api_call_hours ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE api_call_hours FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON api_call_hours FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON api_call_hours TO authenticated",
        "CREATE POLICY api_call_hours_authenticated_select ON api_call_hours FOR SELECT TO authenticated USING (api_call_hours.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON api_call_hours TO service_role",
        "CREATE POLICY api_call_hours_service_role_select ON api_call_hours FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON api_call_hours TO service_role",
        "CREATE POLICY api_call_hours_service_role_insert ON api_call_hours FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON api_call_hours TO service_role",
        "CREATE POLICY api_call_hours_service_role_update ON api_call_hours FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON api_call_hours TO service_role",
        "CREATE POLICY api_call_hours_service_role_delete ON api_call_hours FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "CREATE TABLE tenantry.api_calls_default PARTITION OF api_calls DEFAULT",
        "ALTER TABLE api_calls ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE api_calls FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON api_calls FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON api_calls TO authenticated",
        "CREATE POLICY api_calls_authenticated_select ON api_calls FOR SELECT TO authenticated USING (api_calls.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON api_calls TO service_role",
        "CREATE POLICY api_calls_service_role_select ON api_calls FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON api_calls TO service_role",
        "CREATE POLICY api_calls_service_role_insert ON api_calls FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON api_calls TO service_role",
        "CREATE POLICY api_calls_service_role_update ON api_calls FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON api_calls TO service_role",
        "CREATE POLICY api_calls_service_role_delete ON api_calls FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER credit_grants_touch BEFORE UPDATE ON credit_grants FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE credit_grants ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE credit_grants FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON credit_grants FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON credit_grants TO authenticated",
        "CREATE POLICY credit_grants_authenticated_select ON credit_grants FOR SELECT TO authenticated USING (credit_grants.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON credit_grants TO service_role",
        "CREATE POLICY credit_grants_service_role_select ON credit_grants FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON credit_grants TO service_role",
        "CREATE POLICY credit_grants_service_role_insert ON credit_grants FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON credit_grants TO service_role",
        "CREATE POLICY credit_grants_service_role_update ON credit_grants FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON credit_grants TO service_role",
        "CREATE POLICY credit_grants_service_role_delete ON credit_grants FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER credit_grants_touch AFTER UPDATE ON credit_grants FOR EACH ROW BEGIN UPDATE credit_grants SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER credit_reservations_touch BEFORE UPDATE ON credit_reservations FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE credit_reservations ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE credit_reservations FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON credit_reservations FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON credit_reservations TO authenticated",
        "CREATE POLICY credit_reservations_authenticated_select ON credit_reservations FOR SELECT TO authenticated USING (credit_reservations.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON credit_reservations TO service_role",
        "CREATE POLICY credit_reservations_service_role_select ON credit_reservations FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON credit_reservations TO service_role",
        "CREATE POLICY credit_reservations_service_role_insert ON credit_reservations FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON credit_reservations TO service_role",
        "CREATE POLICY credit_reservations_service_role_update ON credit_reservations FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON credit_reservations TO service_role",
        "CREATE POLICY credit_reservations_service_role_delete ON credit_reservations FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER credit_reservations_touch AFTER UPDATE ON credit_reservations FOR EACH ROW BEGIN UPDATE credit_reservations SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "ALTER TABLE usage_notices ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE usage_notices FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON usage_notices FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON usage_notices TO authenticated",
        "CREATE POLICY usage_notices_authenticated_select ON usage_notices FOR SELECT TO authenticated USING (usage_notices.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON usage_notices TO service_role",
        "CREATE POLICY usage_notices_service_role_select ON usage_notices FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON usage_notices TO service_role",
        "CREATE POLICY usage_notices_service_role_insert ON usage_notices FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON usage_notices TO service_role",
        "CREATE POLICY usage_notices_service_role_update ON usage_notices FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON usage_notices TO service_role",
        "CREATE POLICY usage_notices_service_role_delete ON usage_notices FOR DELETE TO service_role USING (true)",
    )
    _run(
        "postgresql",
        "CREATE TRIGGER usage_reservations_touch BEFORE UPDATE ON usage_reservations FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
        "ALTER TABLE usage_reservations ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE usage_reservations FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON usage_reservations FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON usage_reservations TO authenticated",
        "CREATE POLICY usage_reservations_authenticated_select ON usage_reservations FOR SELECT TO authenticated USING (usage_reservations.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON usage_reservations TO service_role",
        "CREATE POLICY usage_reservations_service_role_select ON usage_reservations FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON usage_reservations TO service_role",
        "CREATE POLICY usage_reservations_service_role_insert ON usage_reservations FOR INSERT TO service_role WITH CHECK (true)",
        "GRANT UPDATE ON usage_reservations TO service_role",
        "CREATE POLICY usage_reservations_service_role_update ON usage_reservations FOR UPDATE TO service_role USING (true) WITH CHECK (true)",
        "GRANT DELETE ON usage_reservations TO service_role",
        "CREATE POLICY usage_reservations_service_role_delete ON usage_reservations FOR DELETE TO service_role USING (true)",
    )
    _run(
        "sqlite",
        "CREATE TRIGGER usage_reservations_touch AFTER UPDATE ON usage_reservations FOR EACH ROW BEGIN UPDATE usage_reservations SET created_at = OLD.created_at, updated_at = tenantry_now() WHERE id = NEW.id; END",
    )
    _run(
        "postgresql",
        "ALTER TABLE credit_entries ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE credit_entries FORCE ROW LEVEL SECURITY",
        "REVOKE ALL ON credit_entries FROM PUBLIC, anon, authenticated, service_role",
        "GRANT SELECT ON credit_entries TO authenticated",
        "CREATE POLICY credit_entries_authenticated_select ON credit_entries FOR SELECT TO authenticated USING (credit_entries.holder_id IN (SELECT holders.id FROM holders WHERE holders.owner_id = (select tenantry.uid()) OR (holders.organization_id = ANY ((select tenantry.organization_ids())::uuid[]))))",
        "GRANT SELECT ON credit_entries TO service_role",
        "CREATE POLICY credit_entries_service_role_select ON credit_entries FOR SELECT TO service_role USING (true)",
        "GRANT INSERT ON credit_entries TO service_role",
        "CREATE POLICY credit_entries_service_role_insert ON credit_entries FOR INSERT TO service_role WITH CHECK (true)",
    )


def downgrade() -> None:
    _run("postgresql", "ALTER TABLE organizations DROP CONSTRAINT fk_organizations_owner")
    with op.batch_alter_table("credit_entries", schema=None) as batch_op:
        batch_op.drop_index("ix_credit_entries_holder_id_grant_id")

    op.drop_table("credit_entries")
    with op.batch_alter_table("usage_reservations", schema=None) as batch_op:
        batch_op.drop_index("ix_usage_reservations_status_expires_at")
        batch_op.drop_index("ix_usage_reservations_holder_id_meter_window_start")

    op.drop_table("usage_reservations")
    op.drop_table("usage_notices")
    with op.batch_alter_table("credit_reservations", schema=None) as batch_op:
        batch_op.drop_index("ix_credit_reservations_status_expires_at")
        batch_op.drop_index("ix_credit_reservations_holder_id_status")

    op.drop_table("credit_reservations")
    with op.batch_alter_table("credit_grants", schema=None) as batch_op:
        batch_op.drop_index("ix_credit_grants_holder_id_series")
        batch_op.drop_index("ix_credit_grants_holder_id_remaining")
        batch_op.drop_index(
            "ix_credit_grants_due", postgresql_where=sa.text("remaining > 0"), sqlite_where=sa.text("remaining > 0")
        )

    op.drop_table("credit_grants")
    with op.batch_alter_table("api_calls", schema=None) as batch_op:
        batch_op.drop_index("ix_api_calls_holder_id_key_id_at")

    op.drop_table("api_calls")
    with op.batch_alter_table("api_call_hours", schema=None) as batch_op:
        batch_op.drop_index("ix_api_call_hours_hour")

    op.drop_table("api_call_hours")
    op.drop_table("usage_gauges")
    with op.batch_alter_table("usage_counters", schema=None) as batch_op:
        batch_op.drop_index("ix_usage_counters_window_end")
        batch_op.drop_index("ix_usage_counters_meter_window_start")

    op.drop_table("usage_counters")
    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_subscriptions_holder_id_slot",
            postgresql_where=sa.text("status IN ('trialing', 'active', 'past_due', 'unpaid', 'paused')"),
            sqlite_where=sa.text("status IN ('trialing', 'active', 'past_due', 'unpaid', 'paused')"),
        )
        batch_op.drop_index(
            "ix_subscriptions_unlinked",
            postgresql_where=sa.text("holder_id IS NULL"),
            sqlite_where=sa.text("holder_id IS NULL"),
        )
        batch_op.drop_index("ix_subscriptions_trial_ends_at")
        batch_op.drop_index("ix_subscriptions_status_id")
        batch_op.drop_index("ix_subscriptions_status_access_until")
        batch_op.drop_index("ix_subscriptions_provider_customer")
        batch_op.drop_index("ix_subscriptions_price_id")
        batch_op.drop_index("ix_subscriptions_plan_id")
        batch_op.drop_index("ix_subscriptions_holder_id_status")

    op.drop_table("subscriptions")
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_index("ix_payments_provider_subscription_external_id")
        batch_op.drop_index("ix_payments_provider_intent")
        batch_op.drop_index("ix_payments_provider_customer")
        batch_op.drop_index("ix_payments_price_id")
        batch_op.drop_index("ix_payments_paid")
        batch_op.drop_index("ix_payments_holder_id_created_at")

    op.drop_table("payments")
    op.drop_table("customers")
    with op.batch_alter_table("current_organizations", schema=None) as batch_op:
        batch_op.drop_index("ix_current_organizations_user_id_session_id")
        batch_op.drop_index("ix_current_organizations_organization_id_user_id")

    op.drop_table("current_organizations")
    op.drop_table("credit_accounts")
    with op.batch_alter_table("billing_facts", schema=None) as batch_op:
        batch_op.drop_index("ix_billing_facts_holder_id")
        batch_op.drop_index("ix_billing_facts_created_at")

    op.drop_table("billing_facts")
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.drop_index("ix_api_keys_tier")
        batch_op.drop_index("ix_api_keys_status_expires_at")
        batch_op.drop_index("ix_api_keys_made_by")
        batch_op.drop_index("ix_api_keys_holder_id_successor_id")
        batch_op.drop_index("ix_api_keys_holder_id_created_at")

    op.drop_table("api_keys")
    with op.batch_alter_table("subscription_terms", schema=None) as batch_op:
        batch_op.drop_index("ix_subscription_terms_price_id")

    op.drop_table("subscription_terms")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index("ix_sessions_user_id_account_id")
        batch_op.drop_index("ix_sessions_impersonator_session_id")
        batch_op.drop_index("ix_sessions_impersonator_id")
        batch_op.drop_index("ix_sessions_expires_at")

    op.drop_table("sessions")
    with op.batch_alter_table("holders", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_holders_organization_id",
            postgresql_where=sa.text("organization_id IS NOT NULL"),
            sqlite_where=sa.text("organization_id IS NOT NULL"),
        )
        batch_op.drop_index("ix_holders_plan_until")
        batch_op.drop_index("ix_holders_plan_after")
        batch_op.drop_index("ix_holders_plan")
        batch_op.drop_index("ix_holders_owner_id_workspace_id")
        batch_op.drop_index("ix_holders_granted_plan")

    op.drop_table("holders")
    with op.batch_alter_table("verification_tokens", schema=None) as batch_op:
        batch_op.drop_index("ix_verification_tokens_user_id_purpose")
        batch_op.drop_index("ix_verification_tokens_expires_at")

    op.drop_table("verification_tokens")
    with op.batch_alter_table("trial_workspaces", schema=None) as batch_op:
        batch_op.drop_index("ix_trial_workspaces_user_id_created_at")
        batch_op.drop_index("ix_trial_workspaces_status_id")
        batch_op.drop_index("ix_trial_workspaces_status_expires_at")

    op.drop_table("trial_workspaces")
    op.drop_table("totp_secrets")
    op.drop_table("recovery_codes")
    with op.batch_alter_table("prices", schema=None) as batch_op:
        batch_op.drop_index("ix_prices_provider_lookup")
        batch_op.drop_index("ix_prices_product_id")

    op.drop_table("prices")
    op.drop_table("passwords")
    op.drop_table("passkeys")
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_memberships_owner", postgresql_where=sa.text("role = 'owner'"), sqlite_where=sa.text("role = 'owner'")
        )
        batch_op.drop_index("ix_memberships_user_id")

    op.drop_table("memberships")
    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_invitations_pending",
            postgresql_where=sa.text("status = 'pending'"),
            sqlite_where=sa.text("status = 'pending'"),
        )
        batch_op.drop_index("ix_invitations_invited_by")
        batch_op.drop_index("ix_invitations_expires_at")
        batch_op.drop_index("ix_invitations_email")

    op.drop_table("invitations")
    with op.batch_alter_table("address_changes", schema=None) as batch_op:
        batch_op.drop_index("ix_address_changes_expires_at")

    op.drop_table("address_changes")
    op.drop_table("accounts")
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_index("uq_users_email")
        batch_op.drop_index("ix_users_role_id")
        batch_op.drop_index("ix_users_created_at")
        batch_op.drop_index(
            "ix_users_banned",
            postgresql_where=sa.text("banned_at IS NOT NULL"),
            sqlite_where=sa.text("banned_at IS NOT NULL"),
        )

    op.drop_table("users")
    op.drop_table("products")
    op.drop_table("plans")
    with op.batch_alter_table("organizations", schema=None) as batch_op:
        batch_op.drop_index("ix_organizations_owner_id_id_owner_role")

    op.drop_table("organizations")
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_index("ix_notices_created_at")

    op.drop_table("notices")
    with op.batch_alter_table("mails", schema=None) as batch_op:
        batch_op.drop_index("ix_mails_status_id")
        batch_op.drop_index("ix_mails_sent_at")
        batch_op.drop_index("ix_mails_recipient_id")

    op.drop_table("mails")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index("ix_jobs_status_run_at")
        batch_op.drop_index("ix_jobs_status_id")
        batch_op.drop_index("ix_jobs_name_id")
        batch_op.drop_index("ix_jobs_finished_at")

    op.drop_table("jobs")
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_index("ix_idempotency_keys_ends_at")

    op.drop_table("idempotency_keys")
    with op.batch_alter_table("billing_locks", schema=None) as batch_op:
        batch_op.drop_index("ix_billing_locks_leased_until")

    op.drop_table("billing_locks")
    with op.batch_alter_table("billing_events", schema=None) as batch_op:
        batch_op.drop_index("ix_billing_events_status_id")
        batch_op.drop_index("ix_billing_events_status_due_at")
        batch_op.drop_index("ix_billing_events_received_at")
        batch_op.drop_index("ix_billing_events_provider_object")

    op.drop_table("billing_events")
    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_log_subject_id_created_at_id")
        batch_op.drop_index("ix_audit_log_created_at_id")
        batch_op.drop_index("ix_audit_log_actor_id_created_at_id")
        batch_op.drop_index("ix_audit_log_action_created_at_id")

    op.drop_table("audit_log")
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_index("ix_attempts_ends_at")

    op.drop_table("attempts")
    _run(
        "postgresql",
        """DO $$
BEGIN
  -- Where the platform brings its own function of that name, it stays.
  IF EXISTS (SELECT FROM pg_proc WHERE oid = to_regprocedure('auth.uid()') AND prosrc = 'SELECT tenantry.uid()') THEN
    DROP FUNCTION auth.uid();
  END IF;
END $$""",
        "DROP SCHEMA tenantry CASCADE",
        "REVOKE USAGE ON SCHEMA public FROM anon, authenticated, service_role",
    )


def _now() -> Any:
    return sa.text("(tenantry_now())" if op.get_context().dialect.name == "sqlite" else "tenantry.now()")


def _run(kind: str, *statements: str) -> None:
    if op.get_context().dialect.name == kind:
        for statement in statements:
            op.execute(sa.text(statement.replace(":", "\\:")))
