"""Payments, as the providers have them, and the facts that were announced."""

from uuid import UUID

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from tenantry.holders.models import Holders
from tenantry.kernel import new_id
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Id, Words
from tenantry.kernel.sql import now
from tenantry.organizations.models import Organizations

from ..models import BillingFacts, BillingLocks, Payments
from ..rows import Payment
from ..snapshots import RECEIVED

IS_PAID = or_(*(Payments.status == one for one in sorted(RECEIVED)))
"""Whether the money of a payment came, whatever was given back of it since."""
_PAYMENT = [Payments.__table__.c[name] for name in Payment.__struct_fields__]
_payment_by_id = statement(
    select(*_PAYMENT)
    .where(Payments.provider == param("provider"), Payments.external_id == param("external_id", Words()))
    .with_for_update(),
    Payment,
)
_payment_by_intent = statement(
    select(*_PAYMENT)
    .where(Payments.provider == param("provider"), Payments.intent == param("intent", Words()))
    .with_for_update(),
    Payment,
)
_PAYMENT_WRITTEN = [name for name in Payment.__struct_fields__ if name != "created_at"]
_payment_insert = insert(Payments).values({name: param(name) for name in _PAYMENT_WRITTEN})
_put_payment = statement(
    _payment_insert.on_conflict_do_update(
        index_elements=["provider", "external_id"],
        set_={
            name: _payment_insert.excluded[name]
            for name in _PAYMENT_WRITTEN
            if name not in {"id", "provider", "external_id"}
        },
    )
)
_add_payment = statement(_payment_insert.on_conflict_do_nothing(index_elements=["provider", "external_id"]))
_add_fact = statement(
    insert(BillingFacts)
    .values(fact=param("fact"), holder_id=param("holder"))
    .on_conflict_do_nothing(index_elements=["fact"])
)
_owner = (
    select(Holders.id)
    .join(Organizations, Organizations.owner_id == Holders.user_id)
    .where(Organizations.id == param("organization", Id()))
    .scalar_subquery()
)
_keep_facts = statement(
    update(BillingFacts).where(BillingFacts.holder_id == param("holder", Id())).values(holder_id=_owner)
)
_rename = statement(
    update(Payments)
    .where(Payments.provider == param("of", Words()), Payments.external_id == param("was", Words()))
    .values(external_id=param("now_known_as", Words()))
    .returning(*_PAYMENT),
    Payment,
)
_other = BillingFacts.__table__.alias("other")
_rename_fact = statement(
    update(BillingFacts)
    .where(BillingFacts.fact == param("fact_was"), ~exists().where(_other.c.fact == param("fact_is", Words())))
    .values(fact=param("fact_is", Words()))
)
_drop = statement(
    delete(Payments)
    .where(Payments.provider == param("provider"), Payments.external_id == param("external_id", Words()))
    .returning(*_PAYMENT),
    Payment,
)
_hold_insert = insert(BillingLocks).values(
    provider=param("provider"),
    object_kind="intent",
    object_id=param("intent"),
    lease=param("lease"),
    leased_until=now(),
)
# Whoever comes second waits here until the first has committed, and sees what it wrote.
_hold = statement(
    _hold_insert.on_conflict_do_update(
        index_elements=["provider", "object_kind", "object_id"], set_={"lease": _hold_insert.excluded.lease}
    )
)
_link_payments = statement(
    update(Payments)
    .where(
        Payments.holder_id.is_(None),
        Payments.provider == param("provider"),
        or_(
            Payments.subscription_external_id == param("subscription", Words()),
            Payments.customer == param("customer", Words()),
        ),
    )
    .values(holder_id=param("holder", Id()))
    .returning(*_PAYMENT),
    Payment,
)
_payment = statement(
    select(*_PAYMENT).where(Payments.provider == param("provider"), Payments.external_id == param("external_id")),
    Payment,
)


async def lock_payment(db: Unit, provider: str, external_id: str) -> Payment | None:
    """One payment; nobody else changes it before the unit ends."""
    return await db.one_or_none(_payment_by_id, provider=provider, external_id=external_id)


async def lock_payment_by_intent(db: Unit, provider: str, intent: str) -> Payment | None:
    """The same, by the charge's side of it."""
    return await db.one_or_none(_payment_by_intent, provider=provider, intent=intent)


async def add_payment(db: Unit, row: Payment) -> bool:
    """Write a new payment; False when somebody else wrote it meanwhile, and has committed."""
    return await db.run(_add_payment, **{name: getattr(row, name) for name in _PAYMENT_WRITTEN}) == 1


async def put_payment(db: Unit, row: Payment) -> None:
    """Write a payment that was read under lock."""
    await db.run(_put_payment, **{name: getattr(row, name) for name in _PAYMENT_WRITTEN})


async def rename_payment(db: Unit, provider: str, was: str, external_id: str) -> Payment | None:
    """Let a payment be known by another id, and what was announced of it; None when there is none of the old one."""
    found = await db.one_or_none(_rename, of=provider, was=was, now_known_as=external_id)
    if found is not None:
        await _rename_facts(db, provider, was, external_id, found)
    return found


async def absorb_payment(db: Unit, provider: str, was: str, external_id: str) -> None:
    """Let a payment that stands by itself be another one's: its row goes, and what was announced of it stays so."""
    found = await db.one_or_none(_drop, provider=provider, external_id=was)
    if found is not None:
        await _rename_facts(db, provider, was, external_id, found)


async def hold_intent(db: Unit, provider: str, intent: str) -> None:
    """Let nobody else write a payment of that intent, by whatever name, before the unit ends."""
    await db.run(_hold, provider=provider, intent=intent, lease=new_id())


async def _rename_facts(db: Unit, provider: str, was: str, external_id: str, row: Payment) -> None:
    for fact in ("paid", f"refunded:{row.refunded_minor}"):
        before, after = (f"payment:{provider}:{one}:{fact}" for one in (was, external_id))
        await db.run(_rename_fact, fact_was=before, fact_is=after)


async def add_fact(db: Unit, fact: str, holder: UUID) -> bool:
    """Write a fact down; False when it stands already, and what follows from it was done."""
    return await db.run(_add_fact, fact=fact, holder=holder) == 1


async def keep_facts(db: Unit, holder: UUID, *, organization: UUID) -> None:
    """Leave what was announced of an organization that goes with its owner, so that it is not announced again."""
    await db.run(_keep_facts, holder=holder, organization=organization)


async def link_payments(
    db: Unit, holder: UUID, *, provider: str, subscription: str | None, customer: str | None
) -> list[Payment]:
    """Give a holder the payments of its subscription and customer that were nobody's."""
    given = {"provider": provider, "subscription": subscription, "customer": customer}
    return await db.rows(_link_payments, holder=holder, **given)


async def payment(db: Unit, provider: str, external_id: str) -> Payment | None:
    """One payment."""
    return await db.one_or_none(_payment, provider=provider, external_id=external_id)
