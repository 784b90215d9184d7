"""T-01, T-05: what a person is by what is paid, from the provider's own metadata; operators stay what they are."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec

from billing.conftest import paid_product, requests
from billing.truth import subscription_of
from tenantry import Billing, Plan, Stripe
from tenantry.billing.membership import Beside, Membership, membership, role_in, status_of
from tenantry.billing.rows import Subscription
from tenantry.billing.snapshots import ExternalId, PriceSnapshot, ProductSnapshot
from tenantry.identity.operating import grant_plan, set_role

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
SOON, LATER = NOW + timedelta(days=1), NOW + timedelta(days=31)
RENEWED = LATER + timedelta(days=3)
BILLING = Billing(providers=[Stripe()])
PRODUCT = paid_product()


def held(status="active", *, plan=None, cancel_at=None, **given):
    known = {"id": uuid4(), "provider": "fake", "external_id": ExternalId("x"), "raw_status": "x", "quantity": 1}
    known |= {"slot": "only", "created_at": NOW, "period_start": NOW, "period_end": LATER}
    known |= {"status": status, "plan": plan, "cancel_at": cancel_at, **given}
    return Subscription(**{name: known.get(name) for name in Subscription.__struct_fields__})


ENDED, ENDS, LATE, IDLE, ON = held("canceled"), held(cancel_at=SOON), held("past_due"), held("paused"), held("trialing")
STATUSES = [
    ([], "ACTIVE"),
    *(([held(one)], "ACTIVE") for one in ("trialing", "active")),
    ([held("trialing", cancel_at=SOON)], "CANCELED"),
    ([ENDS], "CANCELED"),
    ([LATE], "PAST_DUE"),
    ([held("past_due", cancel_at=SOON)], "PAST_DUE"),
    *(([held(one)], "INACTIVE") for one in ("incomplete", "unpaid", "paused")),
    *(([held(one)], "CANCELED") for one in ("canceled", "expired")),
    # The first of what goes on, is late, ends, and may come back; what has ended counts where nothing else is there.
    ([ENDED, IDLE, ENDS, LATE, ON], "ACTIVE"),
    ([ENDED, IDLE, ENDS, LATE], "PAST_DUE"),
    ([ENDED, IDLE, ENDS], "CANCELED"),
    ([ENDED, IDLE], "INACTIVE"),
]


def test_t_01_the_status_of_a_membership_by_all_its_subscriptions():
    for subscriptions, status in STATUSES:
        assert status_of(subscriptions) == status_of(subscriptions[::-1]) == status, subscriptions


ROLES = [
    # What the metadata says of the price and the product, the plan it buys, what was granted; PREMIUM until.
    ((None, None), "pro", None, RENEWED),
    ((None, None), "free", None, "USER"),
    ((None, None), None, None, "USER"),
    (("PREMIUM", None), None, None, RENEWED),
    ((None, " premium "), "free", None, RENEWED),
    (("USER", "PREMIUM"), "pro", None, "USER"),
    (("ADMIN", "PREMIUM"), None, None, RENEWED),
    (("ADMIN", "BANNED"), None, None, "USER"),
    (("USER", None), "pro", "pro", None),
    ((None, None), None, "free", "USER"),
    ((None, None), "gone", "gone", "USER"),
]


def test_t_01_the_role_by_what_is_paid_granted_and_said():
    for said, plan, granted, until in ROLES:
        one = held(plan=plan)
        found = membership(PRODUCT, BILLING, [one], beside=Beside({one.id: said}, granted, NOW))
        expected = Membership("USER", None, "ACTIVE") if until == "USER" else Membership("PREMIUM", until, "ACTIVE")
        assert found == expected, (said, plan, granted)
    assert role_in("BANNED", "ADMIN") is None
    # To be announced is not free.
    odd = paid_product(plans=[Plan("free", price=0, limits={requests: 5}), Plan("talk", price=None)])
    assert membership(odd, BILLING, [], beside=Beside({}, "talk", NOW)).role == "PREMIUM"
    # The longest of several; what gives no access counts for nothing.
    several = [held(plan="pro", cancel_at=SOON), held(plan="pro"), held("paused", plan="pro")]
    assert membership(PRODUCT, BILLING, several, beside=Beside({}, None, NOW)).until == RENEWED
    assert membership(PRODUCT, BILLING, several[2:], beside=Beside({}, None, NOW)).role == "USER"


async def shown(browser):
    me = (await browser.get("/v1/me")).json()
    return me["role"], me["membership_status"]


async def told(paying, *objects):
    await paying.deliver(*(paying.truth.put(one) for one in objects))
    await paying.work()


async def test_t_05_what_is_made_at_the_provider_moves_roles_without_a_deploy(paying):
    ada = await paying.kit.sign_in("ada")
    holder = await paying.holder_of(ada)
    assert await shown(ada) == ("USER", "ACTIVE")
    club = ProductSnapshot(external_id=ExternalId("prod_club"), name="Club", details={"role": "PREMIUM"})
    price = PriceSnapshot(external_id=ExternalId("price_club"), product=club.external_id, amount=100, interval="month")
    one = subscription_of(holder, price.external_id)
    await told(paying, club, price, one)
    assert await shown(ada) == ("PREMIUM", "ACTIVE")
    # What it makes of its buyers is changed over there; nobody buys more than PREMIUM.
    for said, role in (("USER", "USER"), ("ADMIN", "PREMIUM"), ("PREMIUM", "PREMIUM"), ("BANNED", "PREMIUM")):
        await told(paying, msgspec.structs.replace(price, details={"role": said}))
        assert await shown(ada) == (role, "ACTIVE"), said
    await told(paying, msgspec.structs.replace(club, details={}))
    assert await shown(ada) == ("USER", "ACTIVE")
    await told(paying, club, msgspec.structs.replace(one, status="past_due", raw_status="past_due"))
    assert await shown(ada) == ("PREMIUM", "PAST_DUE")
    await told(paying, msgspec.structs.replace(one, cancel_at=paying.kit.clock.now() + timedelta(minutes=30)))
    assert await shown(ada) == ("PREMIUM", "CANCELED")
    # At that second, before anybody has told.
    await paying.kit.move(minutes=30)
    assert await shown(ada) == ("USER", "CANCELED")


async def test_t_01_an_operator_stays_one_and_is_what_is_paid_for_afterwards(paying):
    kit = paying.kit
    ada = await kit.sign_in("ada")
    user = UUID((await ada.get("/v1/me")).json()["id"])
    holder = await paying.holder_of(ada)
    grace = UUID((await (await kit.sign_in("grace")).get("/v1/me")).json()["id"])
    for one in (user, grace):
        assert await set_role(kit.system, one, "ADMIN", reason="looks after it")
    await told(paying, subscription_of(holder, paying.truth.sell("pro")))
    assert await shown(ada) == ("ADMIN", "ACTIVE")
    await set_role(kit.system, user, "USER", reason="left the team")
    assert await shown(ada) == ("PREMIUM", "ACTIVE")
    await told(paying, subscription_of(holder, "price_pro", status="unpaid"))
    assert await shown(ada) == ("USER", "INACTIVE")
    await grant_plan(kit.system, "ada@example.com", "business", reason="a promise")
    assert await shown(ada) == ("PREMIUM", "INACTIVE")
