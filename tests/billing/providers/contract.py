"""What every payment provider keeps, over real HTTP to its stand-in.

A provider's own test file has a class of this, and a fixture `rig`:

    class TestStripe(Contract):
        @pytest.fixture
        async def rig(self): ...
"""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from billing.providers.rig import (
    KINDS,
    Rig,
    Sent,
    bought,
    checkout_of,
    customer_of,
    is_of,
    payments_of,
    subscription_of,
)
from tenantry.billing.errors import (
    ChangeRefused,
    EventMalformed,
    PlanNotForSale,
    ProviderAway,
    SecretUnset,
    SignatureRefused,
    SubscriptionNotFound,
)
from tenantry.billing.providers import Cancel, Pause, PlanChange, PortalPage, Resume
from tenantry.billing.snapshots import ExternalId, PaymentSnapshot, PriceSnapshot, SubscriptionSnapshot

LATE = timedelta(minutes=5, seconds=1)
GARBAGE = [b"", b"{", b"[]", b"7", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 20_000, b"{}"]
NOBODYS = ["nobody-knows-it", "../customers", "a/b", "a?b=c", "a#b", "%2e%2e", " ", "", "\n", "\x00", "é", "x" * 5000]
ONE_SECOND = timedelta(seconds=1)
REFUSED = (ChangeRefused, PlanNotForSale, SubscriptionNotFound)


class Signatures:
    """An event is believed only with a signature that holds."""

    async def test_an_event_says_what_changed(self, rig: Rig) -> None:
        subscription = await bought(rig)
        hints = [rig.provider.hint(one.body, one.headers, now=rig.now) for one in await rig.events()]
        assert ("subscription", subscription.external_id) in {(one.object_kind, one.object_id) for one in hints}
        assert len({one.dedupe_key for one in hints}) == len(hints)
        for one in hints:
            assert one.event
            assert (one.object_kind is None) == (one.object_id is None)
            assert one.occurred_at is None or abs(one.occurred_at - rig.now) < timedelta(minutes=1)

    async def test_a_repetition_has_the_same_key(self, rig: Rig) -> None:
        await bought(rig)
        sent = await rig.events()
        told = [rig.provider.hint(one.body, one.headers, now=rig.now) for one in sent]
        for one, first in zip(sent, told, strict=True):
            repeated = await rig.again(one)
            assert rig.provider.hint(repeated.body, repeated.headers, now=rig.now) == first

    async def test_a_forged_event_is_refused(self, rig: Rig) -> None:
        true = await self.sent(rig)
        without = dict.fromkeys(true.headers, "")
        forged = rig.signed(true.body, secret="whsec_" + "0" * 32)
        for body, headers in [
            (true.body + b" ", true.headers),
            (true.body[:-1], true.headers),
            (b"", true.headers),
            (true.body, {}),
            (true.body, without),
            (true.body, dict.fromkeys(true.headers, "é\x00" * 100)),
            (true.body, forged.headers),
        ]:
            with pytest.raises(SignatureRefused):
                rig.provider.hint(body, headers, now=rig.now)

    async def test_an_old_or_future_event_is_refused(self, rig: Rig) -> None:
        if not rig.traits.is_dated:
            pytest.skip("this provider's signature does not cover the time")
        sent = await self.sent(rig)
        for wrong in (-LATE, LATE):
            one = rig.signed(sent.body, at=rig.now + wrong)
            with pytest.raises(SignatureRefused):
                rig.provider.hint(one.body, one.headers, now=rig.now)
        for right in (-LATE + 2 * ONE_SECOND, LATE - 2 * ONE_SECOND):
            one = rig.signed(sent.body, at=rig.now + right)
            rig.provider.hint(one.body, one.headers, now=rig.now)

    async def test_without_a_secret_nothing_is_verified(self, rig: Rig) -> None:
        if rig.unset is None:
            pytest.skip("this provider has its secret in any case")
        sent = await self.sent(rig)
        with pytest.raises(SecretUnset):
            rig.unset.hint(sent.body, sent.headers, now=rig.now)

    @pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:8]))
    async def test_what_is_signed_but_no_event_is_malformed(self, rig: Rig, body: bytes) -> None:
        sent = rig.signed(body)
        with pytest.raises(EventMalformed):
            rig.provider.hint(sent.body, sent.headers, now=rig.now)
        assert rig.provider.told(body) == []

    @staticmethod
    async def sent(rig: Rig) -> Sent:
        await bought(rig)
        return (await rig.events())[-1]


class Reading:
    """The object as it is now, with what it refers to."""

    async def test_what_is_told_is_what_is_read(self, rig: Rig) -> None:
        await bought(rig)
        newest = {}
        for one in await rig.events():
            hint = rig.provider.hint(one.body, one.headers, now=rig.now)
            newest[hint.object_kind, hint.object_id] = one
        compared = set()
        for (kind, external_id), one in newest.items():
            if kind is None or external_id is None:
                continue
            read = await rig.provider.read(kind, external_id)
            for told in rig.provider.told(one.body):
                same = [two for two in read if (type(two), two.external_id) == (type(told), told.external_id)]
                for two in same:
                    assert self.common(rig, told) == self.common(rig, two)
                    compared.add(kind)
        assert "subscription" in compared

    async def test_a_purchase_is_read_whole(self, rig: Rig) -> None:
        page = await checkout_of(rig, price=1)
        made = await rig.complete_checkout(await rig.provider.page(page))
        read = await rig.provider.read("subscription", made)
        self.in_order(read)
        found = await subscription_of(rig, made)
        assert found.holder_id == (page.holder_id if rig.traits.names_holders else None)
        assert (found.status, found.customer) == ("active", page.customer)
        assert (found.price, found.quantity, found.cancel_at, found.ended_at) == (rig.prices[1], 1, None, None)
        assert found.version is None
        assert found.period_end is not None
        assert found.period_end > rig.now
        (paid,) = await payments_of(rig, made)
        assert (paid.status, paid.reason, paid.refunded) == ("paid", "initial", 0)
        assert paid.amount > 0
        assert paid.external_id is not None
        again = [one for one in await rig.provider.read("payment", paid.external_id) if is_of("payment", one)]
        assert again == [paid]

    async def test_a_trial_is_paid_for_later(self, rig: Rig) -> None:
        found = await bought(rig, trial_days=14)
        assert found.status == "trialing"
        assert found.trial_ends_at is not None
        assert abs(found.trial_ends_at - (rig.now + timedelta(days=14))) < timedelta(minutes=1)
        assert all(one.amount == 0 for one in await payments_of(rig, found.external_id))
        await rig.renew(found.external_id)
        assert (await subscription_of(rig, found.external_id)).status == "active"

    async def test_a_renewal_moves_the_period(self, rig: Rig) -> None:
        before = await bought(rig)
        await rig.renew(before.external_id)
        after = await subscription_of(rig, before.external_id)
        assert after.status == "active"
        assert before.period_end is not None
        assert after.period_end is not None
        assert after.period_end > before.period_end
        assert sorted(one.reason for one in await payments_of(rig, after.external_id)) == ["initial", "renewal"]

    async def test_a_failed_payment_is_past_due(self, rig: Rig) -> None:
        before = await bought(rig)
        await rig.renew(before.external_id, is_paid=False)
        after = await subscription_of(rig, before.external_id)
        assert after.status == "past_due"
        assert after.ended_at is None

    async def test_a_refund_is_told_with_its_payment(self, rig: Rig) -> None:
        subscription = await bought(rig, price=1)
        (paid,) = await payments_of(rig, subscription.external_id)
        assert paid.external_id is not None
        for amount, refunded, status in [
            (100, 100, "partially_refunded"),
            (paid.amount - 100, paid.amount, "refunded"),
        ]:
            await rig.refund(paid.external_id, amount)
            (found,) = await payments_of(rig, subscription.external_id)
            assert (found.external_id, found.status, found.refunded) == (paid.external_id, status, refunded)

    async def test_a_cancellation_in_the_portal_is_read(self, rig: Rig) -> None:
        before = await bought(rig)
        await rig.cancel_in_portal(before.external_id)
        after = await subscription_of(rig, before.external_id)
        assert after.status == "active"
        assert after.cancel_at is not None
        assert after.cancel_at > rig.now
        await rig.renew(before.external_id)
        ended = await subscription_of(rig, before.external_id)
        assert ended.status in {"canceled", "expired"}

    @pytest.mark.parametrize("kind", KINDS)
    async def test_an_absent_object_is_nothing(self, rig: Rig, kind) -> None:
        read = {one: await rig.provider.read(kind, ExternalId(one)) for one in NOBODYS}
        assert {one[:12] for one, found in read.items() if found} == set()

    async def test_lists_hold_everything_page_by_page(self, rig: Rig) -> None:
        subscription = await bought(rig)
        customers = {(await rig.provider.customer(customer_of())).external_id for _ in range(rig.traits.page_size + 1)}
        pages = [page async for page in rig.provider.listed("customer")]
        listed = [one.external_id for page in pages for one in page if is_of("customer", one)]
        assert len(pages) > 1
        assert customers <= set(listed)
        assert len(listed) == len(set(listed))
        for page in [page async for page in rig.provider.listed("product")]:
            self.in_order(page)
        prices = [
            one async for page in rig.provider.listed("product") for one in page if isinstance(one, PriceSnapshot)
        ]
        assert set(rig.prices) <= {one.external_id for one in prices}
        subscriptions = [one async for page in rig.provider.listed("subscription") for one in page]
        assert subscription in [one for one in subscriptions if isinstance(one, SubscriptionSnapshot)]
        assert [one.amount > 0 for one in await payments_of(rig, subscription.external_id)] == [True]

    async def test_prices_are_found_by_what_the_declaration_calls_them(self, rig: Rig) -> None:
        prices = [
            one async for page in rig.provider.listed("product") for one in page if isinstance(one, PriceSnapshot)
        ]
        for one in prices:
            if one.external_id in rig.prices:
                assert one.lookup
                assert (one.interval, one.interval_count) == ("month", 1)
                assert one.amount is not None
                assert one.currency.isupper()

    @staticmethod
    def common(rig: Rig, snapshot):
        left = {name: getattr(snapshot, name) for name in rig.traits.untold if hasattr(snapshot, name)}
        return replace(snapshot, **dict.fromkeys(left), **({"version": None} if hasattr(snapshot, "version") else {}))

    @staticmethod
    def in_order(snapshots) -> None:
        """What another refers to comes before it."""
        places = {(type(one).__name__, one.external_id): place for place, one in enumerate(snapshots)}
        for place, one in enumerate(snapshots):
            for name in ("product", "price", "customer"):
                wanted = getattr(one, name, None)
                assert wanted is None or places.get((KINDS[name], wanted), -1) < place


class Asking:
    """Customers, pages and changes."""

    async def test_a_holder_is_one_customer(self, rig: Rig) -> None:
        wanted = customer_of()
        first = await rig.provider.customer(wanted)
        assert first.holder_id == (wanted.holder_id if rig.traits.names_holders else None)
        assert (first.email, first.is_deleted) == (wanted.email, False)
        assert await rig.provider.customer(wanted) == first
        assert await rig.provider.read("customer", first.external_id) == [first]

    async def test_two_holders_of_one_address(self, rig: Rig) -> None:
        first = await rig.provider.customer(customer_of())
        assert first.email is not None
        asked = rig.provider.customer(customer_of(email=first.email))
        if rig.traits.customers_of_address == "refused":
            with pytest.raises(ChangeRefused):
                await asked
            assert await rig.provider.read("customer", first.external_id) == [first]
            return
        is_same = (await asked).external_id == first.external_id
        assert is_same == (rig.traits.customers_of_address == "one")

    async def test_two_tabs_make_one_customer(self, rig: Rig) -> None:
        wanted = customer_of()
        made = await asyncio.gather(*(rig.provider.customer(wanted) for _ in range(5)))
        assert len({one.external_id for one in made}) == 1

    async def test_another_wish_of_the_same_holder_finds_the_customer(self, rig: Rig) -> None:
        wanted = customer_of()
        first = await rig.provider.customer(wanted)
        assert (await rig.provider.customer(replace(wanted, key="another-tab"))).external_id == first.external_id

    async def test_a_key_opens_one_page(self, rig: Rig) -> None:
        wanted = await checkout_of(rig)
        address = await rig.provider.page(wanted)
        assert address.startswith(("http://", "https://"))
        assert (await rig.provider.page(wanted) == address) == rig.traits.repeats_pages
        assert await rig.provider.page(replace(wanted, key="another-wish")) != address

    async def test_the_portal_has_an_address(self, rig: Rig) -> None:
        subscription = await bought(rig)
        assert subscription.customer is not None
        page = PortalPage(customer=subscription.customer, return_url="http://127.0.0.1:8000/billing")
        assert (await rig.provider.page(page)).startswith(("http://", "https://"))

    @pytest.mark.parametrize("proration", ["prorate", "invoice", "none"])
    async def test_another_plan(self, rig: Rig, proration) -> None:
        before = await bought(rig)
        after = await self.changed(rig, before.external_id, PlanChange(rig.prices[1], proration))
        if proration in rig.traits.later:
            assert after == before
            await rig.renew(before.external_id)
            after = await subscription_of(rig, before.external_id)
        assert (before.price, after.price, after.status) == (*rig.prices, "active")
        assert after.holder_id == before.holder_id
        back = await self.changed(rig, before.external_id, PlanChange(rig.prices[0], proration))
        assert back.price == rig.prices[proration in rig.traits.later]

    async def test_cancelling_takes_effect_at_the_end_and_can_be_taken_back(self, rig: Rig) -> None:
        before = await bought(rig)
        after = await self.changed(rig, before.external_id, Cancel())
        assert after.status == "active"
        assert after.cancel_at == before.period_end
        back = await self.changed(rig, before.external_id, Resume())
        assert (back.status, back.cancel_at) == ("active", None)

    async def test_cancelling_at_once(self, rig: Rig) -> None:
        before = await bought(rig)
        after = await self.changed(rig, before.external_id, Cancel(at_once=True))
        if not rig.traits.ends_at_once:
            assert (after.status, after.cancel_at) == ("active", before.period_end)
            return
        assert after.status in {"canceled", "expired"}
        assert after.ended_at is None or after.ended_at <= rig.now + ONE_SECOND

    async def test_pausing_and_going_on(self, rig: Rig) -> None:
        before = await bought(rig)
        until = (rig.now + timedelta(days=10)).replace(microsecond=0)
        for wanted in (None, until):
            after = await self.changed(rig, before.external_id, Pause(wanted))
            if rig.traits.pauses_later:
                assert (after.status, after.cancel_at, after.period_end) == ("active", None, before.period_end)
                back = await self.changed(rig, before.external_id, Resume())
                assert back.status == "active"
                await self.changed(rig, before.external_id, Pause(wanted))
                await rig.renew(before.external_id)
                after = await subscription_of(rig, before.external_id)
                before = after
            assert (after.status, after.ended_at) == ("paused", None)
            assert after.resumes_at in {None, wanted}
            back = await self.changed(rig, before.external_id, Resume())
            assert (back.status, back.resumes_at) == ("active", None)

    async def test_what_has_ended_cannot_be_changed(self, rig: Rig) -> None:
        ended = await bought(rig)
        await rig.provider.change(ended.external_id, Cancel(at_once=True))
        if not rig.traits.ends_at_once:
            await rig.renew(ended.external_id)
        for change in (PlanChange(rig.prices[1], "none"), Pause(), Resume()):
            with pytest.raises(REFUSED):
                await rig.provider.change(ended.external_id, change)
        with pytest.raises(REFUSED):
            await rig.provider.change(ExternalId("nobody-knows-it"), Cancel())

    async def test_a_price_that_is_not_there(self, rig: Rig) -> None:
        before = await bought(rig)
        with pytest.raises(REFUSED):
            await rig.provider.change(before.external_id, PlanChange(ExternalId("price_of_nothing"), "none"))
        assert (await subscription_of(rig, before.external_id)).price == before.price

    @staticmethod
    async def changed(rig: Rig, external_id: ExternalId, change) -> SubscriptionSnapshot:
        """What the change tells is what is read."""
        answer = await rig.provider.change(external_id, change)
        (told,) = [one for one in answer if isinstance(one, SubscriptionSnapshot)]
        assert told == await subscription_of(rig, external_id)
        return told


class Once:
    """What is paid once is a payment of its holder's, and no subscription."""

    async def test_what_is_paid_once(self, rig: Rig) -> None:
        listed = [one async for page in rig.provider.listed("product") for one in page]
        sold = {one.external_id: one for one in listed if isinstance(one, PriceSnapshot)}
        assert (sold[rig.once].interval, sold[rig.once].is_active) == (None, True)
        wanted = replace(await checkout_of(rig), price=rig.once)
        await rig.events()
        made = await rig.pay_once(await rig.provider.page(wanted))
        read = await rig.provider.read("payment", made)
        Reading.in_order(read)
        (paid,) = [one for one in read if isinstance(one, PaymentSnapshot)]
        assert (paid.external_id, paid.status, paid.reason) == (made, "paid", "once")
        assert (paid.customer, paid.price, paid.subscription) == (wanted.customer, rig.once, None)
        assert (paid.amount, paid.currency) == (sold[rig.once].amount, "USD")
        assert paid.holder_id == (wanted.holder_id if rig.traits.names_holders else None)
        assert paid.paid_at is not None
        assert [one for page in [page async for page in rig.provider.listed("payment")] for one in page
                if isinstance(one, PaymentSnapshot) and one.customer == wanted.customer] == [paid]  # fmt: skip
        assert not [one async for page in rig.provider.listed("subscription") for one in page
                    if isinstance(one, SubscriptionSnapshot) and one.customer == wanted.customer]  # fmt: skip
        # Some event names the payment, by its own id or by one that is read as the same.
        hints = [rig.provider.hint(one.body, one.headers, now=rig.now) for one in await rig.events()]
        named = {one.object_id for one in hints if one.object_kind == "payment" and one.object_id is not None}
        assert named
        for one in named:
            assert paid in await rig.provider.read("payment", one)
        for amount, status in ((1, "partially_refunded"), (paid.amount - 1, "refunded")):
            await rig.refund_once(made, amount)
            (found,) = [one for one in await rig.provider.read("payment", made) if isinstance(one, PaymentSnapshot)]
            assert (found.status, found.external_id) == (status, made)
        assert found.refunded == paid.amount


class Failing:
    """A provider that is late, broken or lies is `ProviderAway`, and nothing else."""

    async def test_what_was_lost_is_told(self, rig: Rig) -> None:
        began = rig.now - ONE_SECOND
        await rig.lose()
        subscription = await bought(rig)
        missed = [one async for one in rig.provider.missed(began)]
        if not rig.traits.keeps_misses:
            assert missed == []
            return
        assert ("subscription", subscription.external_id) in {(one.object_kind, one.object_id) for one in missed}
        assert len({one.dedupe_key for one in missed}) == len(missed)
        assert [one async for one in rig.provider.missed(rig.now + ONE_SECOND)] == []

    @pytest.mark.parametrize("trouble", ["away", "slow", "lying"])
    async def test_every_question_is_refused_as_away(self, rig: Rig, trouble: str) -> None:
        wanted, subscription = await checkout_of(rig), await bought(rig)
        known = await self.known(rig, subscription)
        await getattr(rig, trouble)()
        questions = self.questions(rig, wanted, known)
        # All at once: what is not answered takes as long as is waited for.
        async with asyncio.timeout(60):
            refusals = await asyncio.gather(*questions.values(), return_exceptions=True)
        told = dict(zip(questions, refusals, strict=True))
        assert {name: one for name, one in told.items() if not isinstance(one, ProviderAway)} == {}
        await rig.well()
        assert await subscription_of(rig, subscription.external_id) == subscription

    @staticmethod
    async def known(rig: Rig, subscription: SubscriptionSnapshot):
        """The id of something of each kind."""
        ids = {"subscription": subscription.external_id, "customer": subscription.customer, "price": rig.prices[0]}
        ids["payment"] = (await payments_of(rig, subscription.external_id))[0].external_id
        products = [one async for page in rig.provider.listed("product") for one in page if is_of("product", one)]
        return ids | {"product": products[0].external_id}

    @staticmethod
    def questions(rig: Rig, wanted, known):
        ask, external_id = rig.provider, known["subscription"]
        portal = PortalPage(customer=wanted.customer, return_url="http://127.0.0.1:8000/billing")

        async def drained(answers) -> list[object]:
            return [one async for one in answers]

        questions = {f"read {kind}": ask.read(kind, known[kind]) for kind in KINDS}
        questions |= {f"list {kind}": drained(ask.listed(kind)) for kind in KINDS if kind != "price"}
        questions |= {
            "customer": ask.customer(customer_of()),
            "checkout": ask.page(replace(wanted, key="one-more")),
            "portal": ask.page(portal),
            "plan": ask.change(external_id, PlanChange(rig.prices[1], "none")),
            "cancel": ask.change(external_id, Cancel()),
            "cancel at once": ask.change(external_id, Cancel(at_once=True)),
            "pause": ask.change(external_id, Pause()),
            "resume": ask.change(external_id, Resume()),
        }
        if rig.traits.keeps_misses:
            questions["missed"] = drained(ask.missed(rig.now - timedelta(days=1)))
        return questions


class Contract(Signatures, Reading, Asking, Once, Failing):
    """All of it."""
