"""The outward words of the three documents, and the normal ones."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tenantry.billing.rows import Subscription
from tenantry.billing.snapshots import ExternalId
from tenantry.billing.words import word_of
from tenantry.product import StatusWords

NORMAL = StatusWords()
# 002: a scheduled end stays `active`; `cancelled` has ended.
STUDIO = StatusWords(
    trialing="active", unpaid="past_due", paused="past_due", incomplete="past_due", canceled="cancelled",
    expired="cancelled",
)  # fmt: skip
# 003: `cancelled` is scheduled and still paid, `expired` has ended.
VAULT = StatusWords(
    trialing="trial", scheduled="cancelled", unpaid="past_due", paused="expired", incomplete="expired",
    canceled="expired",
)  # fmt: skip
# 004: CANCELED is scheduled or ended, INACTIVE paused, unpaid or incomplete.
MEMBERS = StatusWords(
    trialing="ACTIVE", active="ACTIVE", scheduled="CANCELED", past_due="PAST_DUE", unpaid="INACTIVE",
    paused="INACTIVE", incomplete="INACTIVE", canceled="CANCELED", expired="CANCELED",
)  # fmt: skip
STATES = [
    ("trialing", False, "trialing", "active", "trial", "ACTIVE"),
    ("trialing", True, "active", "active", "cancelled", "CANCELED"),
    ("active", False, "active", "active", "active", "ACTIVE"),
    ("active", True, "active", "active", "cancelled", "CANCELED"),
    ("past_due", False, "past_due", "past_due", "past_due", "PAST_DUE"),
    ("past_due", True, "past_due", "past_due", "past_due", "PAST_DUE"),
    ("unpaid", False, "unpaid", "past_due", "past_due", "INACTIVE"),
    ("paused", False, "paused", "past_due", "expired", "INACTIVE"),
    ("paused", True, "paused", "past_due", "expired", "INACTIVE"),
    ("incomplete", False, "incomplete", "past_due", "expired", "INACTIVE"),
    ("canceled", True, "canceled", "cancelled", "expired", "CANCELED"),
    ("expired", False, "expired", "cancelled", "expired", "CANCELED"),
]


def subscription(status, cancel_at=None):
    now = datetime(2026, 3, 14, tzinfo=UTC)
    known = {"id": uuid4(), "provider": "fake", "external_id": ExternalId("x"), "raw_status": "x", "quantity": 1}
    known |= {"slot": "only", "created_at": now, "status": status, "cancel_at": cancel_at}
    return Subscription(**{name: known.get(name) for name in Subscription.__struct_fields__})


@pytest.mark.parametrize(("status", "is_scheduled", "normal", "studio", "vault", "members"), STATES)
def test_each_document_reads_its_own_word(status, is_scheduled, normal, studio, vault, members):
    one = subscription(status, datetime(2026, 4, 1, tzinfo=UTC) if is_scheduled else None)
    assert [word_of(words, one) for words in (NORMAL, STUDIO, VAULT, MEMBERS)] == [normal, studio, vault, members]


def test_every_state_is_tried():
    assert {state for state, *_ in STATES} == set(StatusWords.__dataclass_fields__) - {"scheduled"}
