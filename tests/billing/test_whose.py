"""Whose a purchase is not: neither an address nor a name in metadata makes it anybody's who did not buy it."""

from datetime import timedelta

from sqlalchemy import delete

from billing.truth import subscription_of
from tenantry.billing import operating
from tenantry.identity.models import Users
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement

_erase = statement(delete(Users).where(Users.email == param("email")))


async def test_what_an_erased_person_bought_is_not_the_next_ones_with_that_address(paying):
    ada = await paying.kit.sign_in("ada")
    email = (await ada.get("/v1/me")).json()["email"]
    first = await paying.holder_of(ada)
    price = paying.truth.sell("pro")
    bought = subscription_of(first, price, email=email)
    await paying.deliver(paying.truth.put(bought))
    await paying.work()
    async with paying.kit.system.service() as ctx:
        await ctx.db.run(_erase, email=email)
    # Told again while nobody has the address, when somebody has it, and by the sweep.
    await paying.deliver(paying.truth.put(bought))
    await paying.work()
    again = await paying.kit.sign_in("ada")
    second = await paying.holder_of(again)
    assert second != first
    await paying.deliver(paying.truth.put(bought))
    await paying.work()
    await paying.kit.move(timedelta(minutes=2))
    await paying.run_periodic()
    assert await paying.plan_of(second) == "free"
    (row,) = await operating.unlinked(paying.kit.system)
    assert (row.external_id, row.email) == ("sub_1", None)
    # Who knows that it is the same person says so.
    assert await operating.claim(paying.kit.system, row.id, email, reason="the same person") is not None
    assert await paying.plan_of(second) == "pro"


async def test_what_names_a_holder_of_another_installation_is_nobodys_here(paying):
    """Two installations may share an account at the provider; one's buyer may have an address at the other."""
    ada = await paying.kit.sign_in("ada")
    email = (await ada.get("/v1/me")).json()["email"]
    price = paying.truth.sell("pro")
    await paying.deliver(paying.truth.put(subscription_of(new_id(), price, email=email)))
    await paying.work()
    assert await paying.plan_of(await paying.holder_of(ada)) == "free"
