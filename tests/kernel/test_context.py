"""What an endpoint's context gives it: who asks, one unit of work that ends with the answer, and what it may not do."""

from typing import Any

import msgspec
import pytest
from fastapi import APIRouter
from sqlalchemy import update

from tenantry import Google, Meter, Module, Plan, Product
from tenantry.identity.models import Users
from tenantry.kernel import Anyone, Context, Open, Problem, Read, Service, SignedIn, Write
from tenantry.kernel.audit import audit
from tenantry.kernel.context import STRANGER
from tenantry.kernel.database import param, refuse_while_open, statement
from tenantry.kernel.permissions import Permission
from tenantry.kernel.problems import Forbidden, Unauthenticated
from tenantry.testing import AppKit
from tenantry.testing.queries import latest_entries

router = APIRouter(prefix="/v1/probe")
_rename = statement(update(Users).values(name=param("new_name")))


class Halt(Problem):
    """It stops here."""

    code, status = "probe.halt", 418


class Renamed(msgspec.Struct, frozen=True):
    name: str


@router.post("/write")
async def write(ctx: Write, how: str = "") -> dict[str, Any]:
    await ctx.db.run(_rename, new_name=how or "plain")
    await audit(ctx, f"probe.{how or 'plain'}")
    await ctx.emit(Renamed(how))
    if how == "problem":
        raise Halt
    if how == "crash":
        raise ZeroDivisionError
    return {"how": object() if how == "unserialisable" else how}


@router.post("/read")
async def read(ctx: Read) -> dict[str, Any]:
    refuse_while_open("a call")
    await ctx.db.run(_rename, new_name="by reading")
    return {}


@router.post("/service")
async def serve(ctx: Service, how: str = "") -> dict[str, Any]:
    await audit(ctx, "probe.service")
    if how:
        raise Halt
    return {}


@router.get("/open")
async def opened(ctx: Open) -> dict[str, Any]:
    with pytest.raises(RuntimeError, match="no open unit of work"):
        _ = ctx.db
    return {"kind": ctx.actor.kind}


@router.get("/anyone")
async def anyone(ctx: Anyone) -> dict[str, Any]:
    return {"kind": ctx.actor.kind, "user": ctx.actor.user_id}


@router.get("/signed-in")
async def signed_in(ctx: SignedIn) -> dict[str, Any]:
    assert ctx.unit_of_work is None
    return {"user": ctx.user_id, "holder": ctx.holder.id, "request": ctx.origin.request_id}


class Probe:
    """A handler that fails when it is told to, and remembers in which order events came."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def hear(self, ctx: Context, event: Renamed) -> None:
        self.heard.append(event.name)
        await audit(ctx, "probe.heard")
        if event.name == "unheard":
            raise Halt


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
async def kit(start: Any, probe: Probe) -> AppKit:
    requests = Meter("requests", per="day")
    module = Module(
        "probe", routers=[router], handlers={Renamed: probe.hear}, public={"GET /v1/probe/anyone": "a test"}
    )
    plan = Plan("free", price=0, limits={requests: 5})
    started: AppKit = await start(Product("Acme", sign_in=[Google()], plans=[plan], modules=[module]))
    return started


async def heard_of(kit: AppKit) -> list[str]:
    async with kit.system.service(writes=False) as ctx:
        return [one.action for one in await latest_entries(ctx.db) if one.action.startswith("probe.")]


async def test_a_units_writes_stand_when_the_answer_comes(kit: AppKit, probe: Probe) -> None:
    ada = await kit.sign_in("ada")
    assert (await ada.post("/v1/probe/write")).status_code == 200
    assert sorted(await heard_of(kit)) == ["probe.heard", "probe.plain"]
    assert probe.heard == [""]


@pytest.mark.parametrize(
    ("how", "status"), [("problem", 418), ("unheard", 418), ("crash", 500), ("unserialisable", 500)]
)
async def test_a_refused_request_leaves_nothing(kit: AppKit, how: str, status: int) -> None:
    ada = await kit.sign_in("ada")
    answer = await ada.post("/v1/probe/write", params={"how": how})
    assert answer.status_code == status
    assert await heard_of(kit) == []
    assert (await ada.post("/v1/probe/service", params={"how": how})).status_code == 418
    assert await heard_of(kit) == []
    assert (await ada.post("/v1/probe/write")).status_code == 200


async def test_a_reading_endpoint_cannot_write(kit: AppKit) -> None:
    ada = await kit.sign_in("ada")
    assert (await ada.post("/v1/probe/read")).status_code == 500
    async with kit.system.service(writes=False) as ctx:
        assert "by reading" not in repr(await latest_entries(ctx.db))


async def test_401_strangers_stop_before_the_endpoint(kit: AppKit, probe: Probe) -> None:
    stranger = await kit.client()
    for path in ("write", "read", "service"):
        assert (await stranger.post(f"/v1/probe/{path}")).status_code == 401
    assert (await stranger.get("/v1/probe/signed-in")).status_code == 401
    assert await heard_of(kit) == []
    assert probe.heard == []


async def test_strangers_come_in_where_the_endpoint_says_so(kit: AppKit) -> None:
    stranger, ada = await kit.client(), await kit.sign_in("ada")
    for path in ("open", "anyone"):
        assert (await stranger.get(f"/v1/probe/{path}")).json()["kind"] == "anonymous"
        assert (await ada.get(f"/v1/probe/{path}")).json()["kind"] == "user"


async def test_each_is_told_apart(kit: AppKit) -> None:
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    first, second = [(await one.get("/v1/probe/signed-in")).json() for one in (ada, grace)]
    assert first["user"] != second["user"]
    assert first["holder"] != second["holder"]
    assert first["request"] != second["request"]


async def test_a_user_writes_to_their_own_rows_only(kit: AppKit) -> None:
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    assert (await ada.post("/v1/probe/write", params={"how": "mine"})).status_code == 200
    assert (await ada.get("/v1/me")).json()["name"] == "mine"
    assert (await grace.get("/v1/me")).json()["name"] != "mine"


async def test_permissions_and_ports(kit: AppKit) -> None:
    permission = Permission("probe:read", "Read probes")
    kit.system.require(permission)
    stranger = Context(kit.runtime, STRANGER, kit.system.origin)
    with pytest.raises(Forbidden) as raised:
        stranger.require(permission)
    assert raised.value.extra["permission"] == "probe:read"
    for wanted in ("user_id", "holder"):
        with pytest.raises(Unauthenticated):
            getattr(stranger, wanted)
    with pytest.raises(LookupError, match="nothing was built for Probe"):
        kit.system.port(Probe)


async def test_a_unit_inside_a_unit_is_refused(kit: AppKit) -> None:
    async with kit.system.service() as ctx:
        await audit(ctx, "probe.first")
        with pytest.raises(RuntimeError, match="second writing unit"):
            async with ctx.service() as inner:
                await audit(inner, "probe.second")
        await audit(ctx, "probe.third")
    assert sorted(await heard_of(kit)) == ["probe.first", "probe.third"]
