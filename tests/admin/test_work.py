"""What an operator sees of events, purchases, jobs and mails, and what they do about them."""

from datetime import timedelta

from admin.acting import links
from admin.conftest import FAILING
from billing.truth import subscription_of
from tenantry.billing import operating
from tenantry.kernel import new_id
from tenantry.kernel.jobs import enqueue
from tenantry.kernel.mail import send_mail

SECRET = "whsec_abcdefghijklmnopqrstuvwxyz012345"


async def test_a_dead_event_is_seen_without_secrets_and_worked_on_again(office):
    price = office.truth.sell("pro")
    bought = office.truth.put(subscription_of(None, price, customer=SECRET, email="buyer@example.com"))
    await office.deliver(bought)
    listed = await office.see("/admin/events", status="done", provider="fake", object_id="sub_1")
    (path,) = links(listed, "/admin/events/")
    assert not links(await office.see("/admin/events", status="dead"), "/admin/events/")
    assert not links(await office.see("/admin/events", object_id="sub_2"), "/admin/events/")
    await office.kill_events()
    assert "/admin/events?status=dead" in await office.see("/admin")
    event = await office.see(path)
    assert "buyer@example.com" in event
    assert SECRET not in event
    assert "token=***" in event
    before = len(office.truth.reads)
    for reason, status in (("", 422), ("x" * 501, 422), ("the provider was away", 303), ("once more", 409)):
        answer = await office.ada.post(f"{path}/replay", data={"reason": reason})
        assert answer.status_code == status, answer.text
    assert await office.audited("billing.event_replayed") == [
        (office.operator, "billing.event_replayed", path.rpartition("/")[2], "the provider was away")
    ]
    assert "It is worked on again." in await office.see(path, done="replayed")
    await office.work()
    assert len(office.truth.reads) > before
    assert links(await office.see("/admin/events", status="done"), path)
    assert "everything was as the providers have it" in await office.see("/admin")
    office.truth.put(subscription_of(None, price, external_id="sub_untold"))
    (provider,) = operating.configured(office.kit.system)
    for _ in range(2):
        await operating.sync(office.kit.system, provider)
    overview = await office.see("/admin")
    assert "1 object was not as its provider had it" in overview
    (log,) = links(overview, "/admin/audit?action=")
    assert "billing.drift_repaired" in await office.see(log)


async def test_a_purchase_of_nobody_is_given_to_a_person(office):
    price = office.truth.sell("pro")
    await office.deliver(office.truth.put(subscription_of(None, price, email="buyer@example.com")))
    assert "/admin/purchases" in await office.see("/admin")
    (path,) = links(await office.see("/admin/purchases"), "/admin/purchases/")
    assert "buyer@example.com" in await office.see(path)
    email = (await office.grace.get("/v1/me")).json()["email"]
    for given, status in (
        ({"email": email}, 422),
        ({"email": "buyer@example.com", "reason": "asked"}, 409),
        ({"email": email.upper(), "reason": "bought by phone"}, 303),
        ({"email": email, "reason": "again"}, 409),
    ):
        answer = await office.ada.post(f"{path}/claim", data=given)
        assert answer.status_code == status, answer.text
    assert (await office.grace.get("/v1/me")).json()["plan"]["name"] == "pro"
    ((actor, _, _, reason),) = await office.audited("billing.claimed")
    assert (actor, reason) == (office.operator, "bought by phone")
    assert "Every purchase has its owner" in await office.see("/admin/purchases", done="claimed")
    shown = await office.see("/admin/subscriptions", status="active", plan="pro", provider="fake", owner=email.upper())
    assert email in shown
    assert "sub_1" in shown
    assert "sub_1" not in await office.see("/admin/subscriptions", plan="business")
    assert "Nothing fits" in await office.see("/admin/subscriptions", owner="nobody@example.com")
    started = await office.grace.post("/v1/trials", json={"name": "Try me"})
    assert started.status_code == 201, started.text
    for state, is_there in (("active", True), ("expired", False), ("cancelled", False)):
        assert ("Try me" in await office.see("/admin/trials", state=state, owner=email)) is is_there
    await office.kit.move(days=4)
    assert "Try me" in await office.see("/admin/trials", state="expired")


async def test_a_dead_job_is_seen_by_its_shape_and_queued_again(office):
    given = {"mail": str(new_id()), "note": "ring bob@example.com", "code": "482913", "many": [1, 2], "wanted": True}
    async with office.kit.system.service() as ctx:
        await enqueue(ctx, FAILING, given)
    assert "1 job is due" in await office.see("/admin")
    await office.kit.run_jobs()
    assert "/admin/jobs?status=dead" in await office.see("/admin")
    listed = await office.see("/admin/jobs", status="dead", name="acme.fail")
    (path,) = links(listed, "/admin/jobs/")
    shown = await office.see(path)
    for page in (listed, shown):
        assert "the other side said" in page
        assert "hunter2" not in page
    assert given["mail"] in shown
    assert "20 characters of text" in shown
    for hidden in ("bob@example.com", "482913"):
        assert hidden not in shown
    for reason, status in ((" ", 422), ("it is mended", 303), ("again", 409)):
        answer = await office.ada.post(f"{path}/replay", data={"reason": reason})
        assert answer.status_code == status, answer.text
    assert await office.audited("job.replayed") == [
        (office.operator, "job.replayed", path.rpartition("/")[2], "it is mended")
    ]
    assert links(await office.see("/admin/jobs", status="queued", name="acme.fail"), path)
    assert "It is queued again." in await office.see(path, done="replayed")


async def test_mails_are_seen_without_what_they_say(office):
    async with office.kit.system.service() as ctx:
        await send_mail(ctx, "Bob@example.com", "Your link", text="https://acme.example/verify?token=SECRETLINK")
    page = await office.see("/admin/mails", recipient="bob@EXAMPLE.com", status="queued")
    assert "Your link" in page
    assert "SECRETLINK" not in page
    assert "Nothing needs anybody" in await office.see("/admin")
    await office.kit.move(timedelta(minutes=11))
    assert "/admin/mails?status=queued" in await office.see("/admin")
    assert "1 mail has not gone out" in await office.see("/admin/mails")
    await office.kit.run_jobs()
    assert "Your link" in await office.see("/admin/mails", status="kept")
    assert "Nothing fits" in await office.see("/admin/mails", recipient="eve@example.com")
