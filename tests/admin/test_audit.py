"""The audit log: pages, filters, the file, and `/v1/audit`."""

import csv
from io import StringIO
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import insert

from admin.acting import link
from tenantry.identity.operating import ADMINISTER
from tenantry.kernel import new_id
from tenantry.kernel.audit import AuditLog, audit
from tenantry.kernel.database import statement

PATH = "/v1/audit"


async def test_the_log_is_read_page_by_page_both_ways(office):
    at = office.kit.clock.now()
    # Many at the same moment, and some earlier: the id tells them apart.
    rows = [
        {"id": new_id(), "actor_kind": "system", "action": "thing.swept", "subject_kind": "thing",
         "subject_id": f"t{number}", "detail": {}, "created_at": at.replace(hour=number % 3)}
        for number in range(120)
    ]  # fmt: skip
    async with office.kit.system.service() as ctx:
        await ctx.db.run(statement(insert(AuditLog).values(rows)))
    seen, paths = [], ["/admin/audit?action=thing.swept"]
    while paths[-1] and len(paths) < 9:
        page = await office.see(paths[-1])
        seen.append([one["subject_id"] for one in rows if f'subject={one["subject_id"]}"' in page])
        paths.append(link(page, "next"))
    assert [len(one) for one in seen] == [50, 50, 20]
    assert sorted(one for page in seen for one in page) == sorted(one["subject_id"] for one in rows)
    assert set(seen[0]) == {
        one["subject_id"] for one in sorted(rows, key=lambda one: (one["created_at"], one["id"]))[-50:]
    }
    back = link(await office.see(paths[2]), "prev")
    page = await office.see(back)
    assert [one["subject_id"] for one in rows if f'subject={one["subject_id"]}"' in page] == seen[1]
    first = await office.see(link(page, "prev"))
    assert not link(first, "prev")
    assert link(first, "next")
    for broken in ("x", "2026_x", f"2026-99-01T00:00:00Z_{new_id()}", str(new_id())):
        assert (await office.ada.get("/admin/audit", params={"before": broken})).status_code == 422, broken


async def test_the_filters_and_the_file(office):
    grace = (await office.grace.get("/v1/me")).json()
    async with office.kit.system.service() as ctx:
        await audit(
            ctx, "user.banned", subject=("user", grace["id"]), reason='=HYPERLINK("http://evil")', detail={"a": 1}
        )
    for asked, is_there in (
        ({"subject": grace["email"]}, True),
        ({"subject": grace["id"], "action": "user.banned"}, True),
        ({"action": "user.bann"}, False),
        ({"actor": grace["email"], "action": "user.banned"}, False),
        ({"actor": "nobody@example.com"}, False),
        ({"since": "2026-03-14", "until": "2026-03-14"}, True),
        ({"until": "2026-03-13"}, False),
        ({"since": "2026-03-15"}, False),
    ):
        assert ("HYPERLINK" in await office.see("/admin/audit", **asked)) is is_there, asked
    for broken in ("yesterday", "9999-12-31"):
        assert (await office.ada.get("/admin/audit", params={"until": broken})).status_code == 422
    answer = await office.ada.get("/admin/audit.csv", params={"subject": grace["id"]})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    header, *lines = csv.reader(StringIO(answer.text))
    (banned,) = [dict(zip(header, one, strict=True)) for one in lines if "user.banned" in one]
    assert banned["reason"] == '\'=HYPERLINK("http://evil")'
    assert (banned["created_at"], banned["detail"]) == ("2026-03-14T12:00:00Z", '{"a": 1}')
    assert all(grace["id"] in one for one in lines)
    assert header[-1] == "impersonator_id"
    ((actor, *_),) = await office.audited("audit.exported")
    assert actor == office.operator
    assert (await office.grace.get("/admin/audit.csv")).status_code == 404


async def test_everybody_reads_their_own_entries_and_the_operator_all(office):
    grace = (await office.grace.get("/v1/me")).json()
    async with office.as_operator().service() as ctx:
        await audit(ctx, "user.banned", subject=("user", grace["id"]), reason="spam", detail={"ticket": 7})
        await audit(ctx, "impersonation.began", subject=("user", grace["id"]), reason="asked for help")
        await audit(ctx, "other.thing", subject=("user", str(office.operator)))
    looking = office.as_operator()
    through = replace(looking, actor=replace(looking.actor, user_id=UUID(grace["id"]), impersonator_id=office.operator))
    async with through.service() as ctx:
        await audit(ctx, "thing.seen", detail={"from": "our office"})
    own = (await office.grace.get(PATH)).json()["items"]
    seen, looked, banned, *others = own
    assert (seen["actor_id"], seen["is_impersonated"], seen["impersonator_id"]) == (grace["id"], True, None)
    assert (seen["detail"], seen["address"]) == ({}, None)
    assert (banned["action"], banned["reason"], banned["subject_id"]) == ("user.banned", None, grace["id"])
    assert (looked["reason"], looked["actor_id"]) == ("asked for help", None)
    assert (banned["actor_id"], banned["detail"], banned["address"]) == (None, {}, None)
    assert {one["actor_id"] for one in others} <= {grace["id"], None}
    assert "session.started" in {one["action"] for one in others}
    listed, cursor = [], None
    while True:
        page = (await office.grace.get(PATH, params={"limit": 1, **({"cursor": cursor} if cursor else {})})).json()
        listed += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert listed == own
    assert (await office.grace.get(PATH, params={"action": "user.banned"})).json()["items"] == [banned]
    assert (await office.grace.get(PATH, params={"until": "2026-03-14T12:00:00Z"})).json()["items"] == []
    for asked in ({"scope": "all"}, {"actor_id": grace["id"]}, {"subject_id": "x"}):
        refused = await office.grace.get(PATH, params=asked)
        assert (refused.status_code, refused.json()["permission"]) == (403, ADMINISTER.name), asked
    everything = {"scope": "all", "subject_id": grace["id"], "actor_id": str(office.operator), "action": "user.banned"}
    (told,) = (await office.ada.get(PATH, params=everything)).json()["items"]
    assert (told["actor_id"], told["reason"], told["detail"]) == (str(office.operator), "spam", {"ticket": 7})
    # What an operator reads of themselves is no more than that, until they ask for all.
    assert grace["id"] not in {one["actor_id"] for one in (await office.ada.get(PATH)).json()["items"]}
    assert (await (await office.kit.client()).get(PATH)).status_code == 401
    assert (await office.ada.get(PATH, params={"cursor": "no cursor"})).status_code == 422
