"""A product that sells: three plans, one of them by the month and by the year, and who buys."""

from datetime import timedelta

from sqlalchemy import select, update

from tenantry import Google, Keys, Meter, Plan, Price, Product
from tenantry.billing.applying import apply
from tenantry.billing.queries import inbox
from tenantry.identity.models import Users
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.database import param, statement
from tenantry.kernel.mail.models import Mails
from tenantry.product import Billing, Stripe

requests = Meter("requests", per="day")
_unprove = statement(update(Users).values(email_verified_at=None))
_subjects = statement(select(Mails.subject).order_by(Mails.id))
_audited = statement(select(AuditLog.action).where(AuditLog.action.startswith(param("prefix"))).order_by(AuditLog.id))
HTML = {"accept": "text/html"}


def shop_product(**changes):
    plans = [
        Plan("free", price=0, limits={requests: 5}),
        Plan(
            "pro",
            price=900,
            other_prices=[Price(9000, interval="year")],
            limits={requests: 50},
            trial=timedelta(days=14),
        ),
        Plan("team", price=2900, limits={requests: 500}),
        Plan("old", price=500, limits={requests: 20}, is_active=False),
    ]
    given = {"sign_in": [Google()], "plans": plans, "keys": Keys(), "billing": Billing([Stripe()])}
    return Product("Acme", **{**given, **changes})


def stocked(till):
    """The till sells what is declared."""
    till.sell("pro_month", 900, product="prod_pro")
    till.sell("pro_year", 9000, "year", product="prod_pro")
    till.sell("team_month", 2900)
    return till


async def unprove(kit):
    async with kit.system.service() as ctx:
        await ctx.db.run(_unprove)


async def subjects(kit):
    """The mails that were written, and their subjects."""
    async with kit.system.service(writes=False) as ctx:
        return [one.replace("\u202f", " ") for one in await ctx.db.rows(_subjects)]


async def audited(kit, prefix="billing."):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(_audited, prefix=prefix)


async def told(kit, till, external_id, *, kind="subscription"):
    """An event was worked on: what it is about was read and written."""
    async with kit.system.service(writes=False) as ctx:
        read_at = await inbox.database_now(ctx.db)
    snapshots = [till.payments[external_id]] if kind == "payment" else await till.read(kind, external_id)
    async with kit.system.service() as ctx:
        await apply(ctx, till.name, snapshots, read_at=read_at)


async def subscribed(kit, till, person, plan="pro", **changes):
    """A person buys a plan, and the provider's event has come; answers the subscription's id there."""
    opened = await person.post("/v1/checkout", json={"plan": plan})
    assert opened.status_code == 201, opened.text
    bought = till.pay(opened.json()["url"], **changes)
    await told(kit, till, bought)
    return bought
