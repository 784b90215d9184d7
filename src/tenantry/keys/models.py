"""API keys, the calls made with them, and what the charts show of those by the hour."""

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint

from tenantry.holders import of_my_holders
from tenantry.kernel.database import Base, Touched, column, id_column, length_between, one_of
from tenantry.kernel.database.types import Bytes, Id, Json, UtcDateTime, Whole, Words
from tenantry.kernel.policies import Policy, Rights


class ApiKeys(Touched, Base):
    """A secret that a program shows, as its SHA-256. `prefix` and `ending` are the parts of it that people are shown.

    `tier` is the name of the plan that bounds it, never above its holder's; NULL follows the holder's plan. A key that
    was rotated keeps working until `expires_at`, and names the key that took its place.
    """

    __tablename__ = "api_keys"
    __policy__ = Policy(
        authenticated=Rights(
            read=of_my_holders(),
            read_columns=(
                "id", "holder_id", "made_by", "label", "prefix", "ending", "scopes", "tier", "status", "expires_at",
                "revoked_at", "last_used_at", "successor_id", "created_at", "updated_at",
            ),
        )
    )  # fmt: skip

    id = id_column()
    holder_id = column(Id(), ForeignKey("holders.id", ondelete="CASCADE"))
    made_by = column(Id(), ForeignKey("users.id", ondelete="SET NULL"), nullable=True)
    label = column(Words())
    hash = column(Bytes(), unique=True)
    prefix = column(Words())
    ending = column(Words())
    scopes = column(Json())
    tier = column(Words(), ForeignKey("plans.name", ondelete="RESTRICT"), nullable=True)
    status = column(Words(), server_default="pending_verification")
    expires_at = column(UtcDateTime(), nullable=True)
    revoked_at = column(UtcDateTime(), nullable=True)
    last_used_at = column(UtcDateTime(), nullable=True)
    successor_id = column(Id(), nullable=True)

    __table_args__ = (
        one_of("status", "pending_verification", "active", "revoked"),
        length_between("label", 1, 100),
        length_between("prefix", 1, 50),
        length_between("ending", 4, 4),
        CheckConstraint("length(hash) = 32", name="hash_length"),
        CheckConstraint("(status = 'revoked') = (revoked_at IS NOT NULL)", name="revoked_stamped"),
        CheckConstraint("successor_id <> id", name="successor_other"),
        UniqueConstraint("holder_id", "id"),
        # Both columns: a key is never followed by another holder's.
        ForeignKeyConstraint(["holder_id", "successor_id"], ["api_keys.holder_id", "api_keys.id"], ondelete="CASCADE"),
        Index("ix_api_keys_holder_id_successor_id", "holder_id", "successor_id"),
        Index("ix_api_keys_holder_id_created_at", "holder_id", "created_at"),
        Index("ix_api_keys_made_by", "made_by"),
        Index("ix_api_keys_tier", "tier"),
        Index("ix_api_keys_status_expires_at", "status", "expires_at"),
    )


class ApiCalls(Base):
    """One call made with a key. `endpoint` is the route's template. Bodies are kept where the product says so.

    `status` 0: whoever called was gone before there was an answer.

    Partitioned by `at` on PostgreSQL, which is why `at` is part of the key.
    """

    __tablename__ = "api_calls"
    __policy__ = Policy(authenticated=Rights(read=of_my_holders()))

    at = column(UtcDateTime(), primary_key=True)
    id = id_column()
    holder_id = column(Id())
    key_id = column(Id())
    method = column(Words())
    endpoint = column(Words())
    status = column(Whole())
    latency_ms = column(Whole())
    request_id = column(Words())
    request_body = column(Json(), nullable=True)
    response_body = column(Json(), nullable=True)

    __table_args__ = (
        # A trial's key that is converted takes its calls along.
        ForeignKeyConstraint(
            ["holder_id", "key_id"], ["api_keys.holder_id", "api_keys.id"], ondelete="CASCADE", onupdate="CASCADE"
        ),
        length_between("method", 1, 20),
        length_between("endpoint", 1, 500),
        length_between("request_id", 1, 100),
        CheckConstraint("status BETWEEN 0 AND 999", name="status_counted"),
        CheckConstraint("latency_ms >= 0", name="latency_counted"),
        Index("ix_api_calls_holder_id_key_id_at", "holder_id", "key_id", "at"),
        {"postgresql_partition_by": "RANGE (at)"},
    )


class ApiCallHours(Base):
    """The calls of one key to one endpoint in one hour that took about as long: a row for each bucket of latencies.

    `bucket_ms` is the bucket's lower edge (`calls/buckets.py`); the rows of an hour together are its histogram. Written
    with the calls themselves, in one transaction.
    """

    __tablename__ = "api_call_hours"
    __policy__ = Policy(authenticated=Rights(read=of_my_holders()))

    holder_id = column(Id(), primary_key=True)
    key_id = column(Id(), primary_key=True)
    hour = column(UtcDateTime(), primary_key=True)
    method = column(Words(), primary_key=True)
    endpoint = column(Words(), primary_key=True)
    bucket_ms = column(Whole(), primary_key=True)
    calls = column(Whole())
    errors = column(Whole())
    latency_ms = column(Whole())

    __table_args__ = (
        ForeignKeyConstraint(
            ["holder_id", "key_id"], ["api_keys.holder_id", "api_keys.id"], ondelete="CASCADE", onupdate="CASCADE"
        ),
        length_between("endpoint", 1, 500),
        CheckConstraint("calls > 0 AND errors BETWEEN 0 AND calls AND latency_ms >= 0", name="calls_counted"),
        Index("ix_api_call_hours_hour", "hour"),
    )
