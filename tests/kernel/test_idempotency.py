"""`Idempotency-Key`: what is repeated is answered as the first time, and created once."""

import asyncio
import json
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from kernel.noting import NOTED, Printer, noting_product
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.database import statement
from tenantry.kernel.idempotency.models import IdempotencyKeys
from tenantry.kernel.jobs import plan_periodic

CREATING = ["/v1/notes", "/v1/written", "/v1/served", "/v1/called", "/v1/marked"]
ONE_UNIT = ["/v1/written", "/v1/served"]
KEY = {"Idempotency-Key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"'}

_notes = statement(select(func.count()).select_from(AuditLog).where(AuditLog.action == NOTED))
_kept = statement(select(func.count()).select_from(IdempotencyKeys))


@pytest.fixture
def printer():
    return Printer()


@pytest.fixture
async def kit(start, printer):
    return await start(noting_product(printer))


@pytest.fixture
async def ada(kit):
    return await kit.sign_in("ada")


async def count(kit, what=_notes):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.one(what)


async def until(happened):
    for _ in range(1000):
        if happened():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen within ten seconds")


async def ask(client, path, *, key=KEY, **note):
    return await client.post(path, json=note, headers=key)


@pytest.mark.parametrize("path", CREATING)
async def test_a_repetition_is_answered_as_the_first_time_and_creates_nothing(kit, ada, path):
    first = await ask(ada, path)
    again = await ask(ada, path)
    assert first.is_success
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    for name in ("content-type", "location", "content-length", "cache-control"):
        assert again.headers[name] == first.headers[name]
    assert "flavour" in first.headers["set-cookie"]
    assert "set-cookie" not in again.headers
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert await count(kit) == 1
    assert (await ask(ada, path, key={})).json() != first.json()
    assert await count(kit) == 2


async def test_a_key_is_remembered_for_24_hours(kit, ada):
    first = await ask(ada, "/v1/notes")
    await kit.move(hours=23, minutes=59)
    ada = await kit.sign_in("ada")
    assert (await ask(ada, "/v1/notes")).json() == first.json()
    await kit.move(minutes=1)
    assert (await ask(ada, "/v1/notes")).json() != first.json()
    assert await count(kit) == 2
    assert await count(kit, _kept) == 1


async def test_what_is_over_is_deleted_by_its_job(kit, ada):
    await ask(ada, "/v1/notes")
    await plan_periodic(kit.runtime)
    await kit.run_jobs()
    assert await count(kit, _kept) == 1
    await kit.move(hours=25)
    await plan_periodic(kit.runtime)
    await kit.run_jobs()
    assert await count(kit, _kept) == 0


@pytest.mark.parametrize("path", ["/v1/notes", "/v1/written"])
async def test_422_the_key_of_another_request(kit, ada, path):
    body = json.dumps({"text": "a"}).encode()
    headers = {**KEY, "Content-Type": "application/json"}
    assert (await ada.post(path, content=body, headers=headers)).status_code == 201
    others = [
        (path, b'{"text": "b"}'),
        (path, body + b" "),  # The same JSON: it is the bytes that count.
        (f"{path}?x=1", body),
        ("/v1/marked", body),
    ]
    for where, content in others:
        refused = await ada.post(where, content=content, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency.key_reused")
    assert (await ada.post(path, content=body, headers=headers)).headers["idempotent-replayed"] == "true"
    assert await count(kit) == 1


async def test_both_writings_of_a_key_are_one_key(kit, ada):
    writings = ["a-b/c:1", '"a-b/c:1"', '  "a-b/c:1" ']
    answers = [await ask(ada, "/v1/notes", key={"Idempotency-Key": one}) for one in writings]
    assert len({one.content for one in answers}) == 1
    quoted = [await ask(ada, "/v1/notes", key={"Idempotency-Key": r'"a\"b\\,;"'}) for _ in range(2)]
    assert quoted[0].content == quoted[1].content
    assert await count(kit) == 2


@pytest.mark.parametrize(
    "value",
    ["", '""', "two words", '"two words"', "a,b", '"a","b"', '"a";p=1', "a;p", '"open', 'a"', r'"\a"', "x" * 256,
     f'"{"x" * 256}"', "caf\xe9", "\x7f", "a\tb"],
)  # fmt: skip
async def test_400_what_is_no_key(kit, ada, value):
    refused = await ask(ada, "/v1/notes", key={"Idempotency-Key": value.encode("latin-1")})
    assert (refused.status_code, refused.json()["code"]) == (400, "idempotency.key_malformed")
    assert await count(kit) == 0
    # Where nothing is created, nobody looks at it.
    assert (await ask(ada, "/v1/unmarked", key={"Idempotency-Key": value.encode("latin-1")})).status_code == 200


async def test_400_two_keys(ada):
    refused = await ada.post("/v1/notes", json={}, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "a")])
    assert (refused.status_code, refused.json()["code"]) == (400, "idempotency.key_malformed")


async def test_the_longest_key(ada):
    answers = [await ask(ada, "/v1/notes", key={"Idempotency-Key": "x" * 255}) for _ in range(2)]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("path", CREATING)
async def test_409_while_the_first_is_running(kit, ada, printer, path):
    printer.open.clear()
    first = asyncio.create_task(ask(ada, path))
    await until(lambda: printer.waiting)
    refused = await ask(ada, path)
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency.in_progress")
    assert int(refused.headers["retry-after"]) >= 1
    other = await ask(ada, path, text="other")
    assert other.json()["code"] == "idempotency.key_reused"
    printer.open.set()
    assert (await ask(ada, path)).status_code in {409, (await first).status_code}
    assert (await ask(ada, path)).content == (await first).content
    assert await count(kit) == 1


@pytest.mark.parametrize("path", CREATING)
async def test_of_twenty_at_once_one_creates(kit, ada, path):
    answers = await asyncio.gather(*(ask(ada, path) for _ in range(20)))
    done = {one.content for one in answers if one.is_success}
    refused = {(one.status_code, one.json()["code"]) for one in answers if not one.is_success}
    assert len(done) == 1
    assert len([one for one in answers if one.is_success and "idempotent-replayed" not in one.headers]) == 1
    assert refused <= {(409, "idempotency.in_progress")}
    assert await count(kit) == 1
    assert (await ask(ada, path)).content in done


async def test_another_persons_key_is_another_key(kit, ada):
    grace = await kit.sign_in("grace")
    first, second = await ask(ada, "/v1/notes"), await ask(grace, "/v1/notes", text="of Grace")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() != second.json()
    assert (await ask(grace, "/v1/notes", text="of Grace")).content == second.content


async def test_an_api_key_speaks_for_its_holder_with_its_own_rights(kit, ada):
    async def program(scopes):
        made = (await ada.post("/v1/keys", json={"label": "robot", "scopes": scopes})).json()
        return made, await kit.client(**{"X-API-Key": made["secret"]})

    made, robot = await program([])
    _, able = await program(["notes:write"])
    first = await ask(robot, "/v1/called")
    assert (await ask(robot, "/v1/called")).content == first.content
    # Its successor may repeat what it asked; one that may more or less may not.
    new = (await ada.post(f"/v1/keys/{made['id']}/rotate", json={})).json()
    successor = await kit.client(**{"X-API-Key": new["secret"]})
    assert (await ask(successor, "/v1/called")).content == first.content
    assert (await ask(able, "/v1/called")).json()["code"] == "idempotency.key_reused"
    # A person is another actor than the keys of that person.
    assert (await ask(ada, "/v1/called")).json() != first.json()
    assert await count(kit) == 2


async def test_a_stranger_has_no_keys(kit):
    stranger = await kit.client()
    for value in ("k", "no key at all"):
        answers = [await ask(stranger, "/v1/open", key={"Idempotency-Key": value}) for _ in range(2)]
        assert [one.status_code for one in answers] == [201, 201]
        assert answers[0].content != answers[1].content
    assert (await ask(stranger, "/v1/notes")).status_code == 401
    assert await count(kit, _kept) == 0


@pytest.mark.parametrize("path", CREATING)
@pytest.mark.parametrize(("ends", "status"), [("refused", 409), ("away", 503), ("nonsense", 422)])
async def test_a_refusal_is_not_remembered(kit, ada, path, ends, status):
    for _ in range(2):
        refused = await ask(ada, path, ends=ends)
        assert refused.status_code == status
        assert not refused.json()["code"].startswith("idempotency.")
    assert await count(kit) == 0
    assert (await ask(ada, path)).is_success  # The key is free, also for another body.


@pytest.mark.parametrize("path", CREATING)
async def test_a_crash_before_anything_was_done_is_not_remembered(kit, ada, path):
    for _ in range(2):
        assert (await ask(ada, path, ends="crash")).status_code == 500
    assert (await ask(ada, path)).is_success
    assert await count(kit) == 1


@pytest.mark.parametrize("path", ONE_UNIT)
async def test_a_crash_in_the_unit_takes_everything_back(kit, ada, path):
    for _ in range(2):
        assert (await ask(ada, path, ends="late crash")).status_code == 500
    assert await count(kit) == 0
    assert await count(kit, _kept) == 0


@pytest.mark.parametrize("path", ["/v1/notes", "/v1/marked", "/v1/called"])
async def test_409_after_a_crash_that_left_something_behind(kit, ada, path):
    assert (await ask(ada, path, ends="late crash")).status_code == 500
    for _ in range(2):
        refused = await ask(ada, path, ends="late crash")
        assert (refused.status_code, refused.json()["code"]) == (409, "idempotency.interrupted")
        assert "retry-after" not in refused.headers
    assert await count(kit) == 1


@pytest.mark.parametrize("path", ["/v1/notes", "/v1/written"])
async def test_a_refusal_that_is_returned_is_not_remembered(kit, ada, path):
    assert [(await ask(ada, path, ends="returned")).status_code for _ in range(2)] == [409, 409]
    assert await count(kit, _kept) == 0


@pytest.mark.parametrize("path", ["/v1/notes", "/v1/written"])
async def test_409_a_stream_is_not_kept_and_not_made_twice(kit, ada, path):
    assert (await ask(ada, path, ends="streamed")).content == b"12"
    for minutes in (0, 3):
        await kit.move(minutes=minutes)
        assert (await ask(ada, path, ends="streamed")).json()["code"] == "idempotency.interrupted"
    assert await count(kit) == 1


@pytest.mark.parametrize("path", ONE_UNIT)
async def test_who_lost_the_key_to_another_commits_nothing(kit, ada, printer, path):
    """So slow that it passes for dead: the second one takes over, and the first is taken back."""
    printer.open.clear()
    slow = asyncio.create_task(ask(ada, path))
    await until(lambda: printer.waiting == 1)
    await kit.move(timedelta(minutes=3))
    second = asyncio.create_task(ask(ada, path))
    await until(lambda: printer.waiting == 2)
    printer.open.set()
    answers = [await slow, await second]
    assert sorted(one.status_code for one in answers) == [201, 409]
    assert answers[0].json()["code"] == "idempotency.in_progress"
    assert await count(kit) == 1
    assert (await ask(ada, path)).content == answers[1].content


async def test_a_slow_one_is_waited_for_and_then_told_of(kit, ada, printer):
    printer.open.clear()
    slow = asyncio.create_task(ask(ada, "/v1/notes"))
    await until(lambda: printer.waiting)
    await kit.move(minutes=3)
    assert (await ask(ada, "/v1/notes")).json()["code"] == "idempotency.interrupted"
    printer.open.set()
    first = await slow
    assert first.status_code == 201
    assert (await ask(ada, "/v1/notes")).content == first.content
    assert await count(kit) == 1


async def test_409_an_answer_sealed_under_a_key_that_is_gone(start, kit, ada):
    await ask(ada, "/v1/notes")
    later = await start(noting_product(), secret_keys=("another-key-of-forty-characters-012345678",))
    client = await later.client(Cookie=f"session={ada.cookies['session']}")
    refused = await ask(client, "/v1/notes")
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency.interrupted")
    assert await count(later) == 1


async def test_without_the_header_nothing_more_is_asked_of_the_database(kit, ada, statements):
    with statements(kit) as counted:
        assert (await ask(ada, "/v1/notes", key={})).status_code == 201
        plain = counted()
    with statements(kit) as counted:
        assert (await ask(ada, "/v1/notes")).status_code == 201
        assert counted() == plain + 2
    with statements(kit) as counted:
        assert (await ask(ada, "/v1/notes", key={"Idempotency-Key": "x"})).status_code == 201


async def test_a_body_that_is_too_large_takes_no_key(kit, ada):
    answer = await ada.post("/v1/notes", content=b"x" * 2_000_000, headers=KEY)
    assert answer.status_code == 413
    assert await count(kit, _kept) == 0


async def test_409_what_was_stopped_in_the_middle_is_not_begun_anew(kit, ada, printer):
    printer.open.clear()
    asking = asyncio.create_task(ask(ada, "/v1/notes"))
    await until(lambda: printer.waiting)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    printer.open.set()
    assert (await ask(ada, "/v1/notes")).json()["code"] == "idempotency.in_progress"
    await kit.move(minutes=3)
    assert (await ask(ada, "/v1/notes")).json()["code"] == "idempotency.interrupted"
