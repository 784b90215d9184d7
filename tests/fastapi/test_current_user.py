"""`CurrentUser` and `Require` in the routes of somebody's own application, and in a module's."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from starlette.requests import Request as AnyRequest

from tenantry import Context, Module, Read, Write
from tenantry.fastapi import CurrentUser, Require, User
from tenantry.kernel import Problem, SignedIn
from tenantry.kernel.audit import audit
from tenantry.kernel.context import Resolved, open_context, system_context
from tenantry.kernel.permissions import Permission
from tenantry.testing import PUBLIC_URL
from tenantry.testing.queries import latest_entries

HTML = {"Accept": "text/html"}
REPORTS = Permission("reports:read", "Read the reports.")


def application(**options: Any) -> FastAPI:
    """Their routes: one of each kind."""
    app = FastAPI(**options)

    @app.get("/hello")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    @app.api_route("/me", methods=["GET", "POST"])
    async def me(user: CurrentUser) -> User:
        return user

    @app.get("/cached")
    async def cached(user: CurrentUser, response: Response) -> None:
        response.headers["Cache-Control"] = "private, max-age=60"

    @app.get("/page", include_in_schema=False)
    async def page(user: CurrentUser) -> Response:
        return Response(f"<p>{user.name}</p>", media_type="text/html")

    @app.get("/reports", dependencies=[Require(REPORTS)])
    async def reports() -> list[str]:
        return ["one"]

    @app.get("/by-name")
    async def by_name(_: Annotated[None, Require("reports:read")], user: CurrentUser) -> str:
        return user.email or ""

    @app.get("/read")
    async def read(ctx: Read) -> dict[str, Any]:
        return {"plan": ctx.holder.plan, "address": ctx.origin.address}

    @app.post("/write")
    async def write(ctx: Write) -> dict[str, Any]:
        await audit(ctx, "theirs.wrote")
        return {}

    return app


async def test_401_a_stranger(own: Any) -> None:
    stranger = await (await own(application())).client()
    for path in ("/me", "/reports", "/by-name", "/read"):
        answer = await stranger.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "request.unauthenticated")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (answer.headers["WWW-Authenticate"], answer.headers["Cache-Control"]) == ("Bearer", "no-store")


async def test_a_signed_in_user_by_cookie_and_by_bearer(own: Any) -> None:
    running = await own(application())
    ada = await running.sign_in("ada")
    found = (await ada.get("/me")).json()
    assert found == {"id": found["id"], "email": "ada@example.com", "name": "Ada Lovelace", "plan": "free"}
    assert found["id"] == (await ada.get("/v1/me")).json()["id"]
    program = await running.client(Authorization=f"Bearer {ada.cookies['session']}")
    assert (await program.get("/me")).json() == found
    assert (await program.post("/me", headers={"Origin": "https://evil.example"})).json() == found


async def test_a_bearer_that_is_wrong_is_not_made_good_by_a_cookie(own: Any) -> None:
    ada = await (await own(application())).sign_in("ada")
    answer = await ada.get("/me", headers={"Authorization": "Bearer sess_" + "0" * 43})
    assert answer.status_code == 401


async def test_401_a_session_that_ended(own: Any) -> None:
    ada = await (await own(application())).sign_in("ada")
    cookie = {"Cookie": f"session={ada.cookies['session']}"}
    assert (await ada.get("/me", headers=cookie)).status_code == 200
    await ada.post("/auth/signout")
    assert (await ada.get("/me", headers=cookie)).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_403_a_change_by_cookie_that_another_site_sent(own: Any, method: str) -> None:
    app, changed = application(), []

    @app.api_route("/thing", methods=["POST", "PUT", "PATCH", "DELETE"])
    async def thing(user: CurrentUser) -> None:
        changed.append(user.id)

    ada = await (await own(app, allowed_origins=["https://app.example"])).sign_in("ada")
    del ada.headers["Origin"]
    foreign = [
        {},  # neither header, but a cookie
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"{PUBLIC_URL}.evil.example"},
        {"Origin": PUBLIC_URL, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://app.example.evil.example"},
    ]
    for headers in foreign:
        refused = await ada.request(method, "/thing", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "web.cross_site"), headers
    assert changed == []
    for headers in ({"Origin": PUBLIC_URL}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": "https://app.example"}):
        assert (await ada.request(method, "/thing", headers=headers)).status_code == 200
    assert len(changed) == 3


async def test_a_form_of_another_site_signs_nobody_in_to_their_routes(own: Any) -> None:
    stranger = await (await own(application())).client()
    posted = await stranger.post("/me", data={"a": "b"}, headers={"Origin": "https://evil.example"})
    assert posted.status_code == 401


async def test_what_is_about_a_person_is_not_stored_unless_the_route_says_how(own: Any) -> None:
    ada = await (await own(application())).sign_in("ada")
    assert (await ada.get("/me")).headers["Cache-Control"] == "no-store"
    assert (await ada.get("/cached")).headers["Cache-Control"] == "private, max-age=60"
    untouched = await ada.get("/hello")
    assert set(untouched.headers) == {"content-length", "content-type"}


async def test_people_get_pages_and_are_sent_to_sign_in_from_pages(own: Any) -> None:
    running = await own(application())
    stranger = await running.client()
    sent = await stranger.get("/page?tab=1", headers=HTML)
    assert (sent.status_code, sent.headers["Location"]) == (303, "/signin?return_to=/page%3Ftab%3D1")
    shown = await stranger.get("/me", headers=HTML)
    assert shown.status_code == 401
    assert "Acme" in shown.text
    assert "frame-ancestors 'none'" in shown.headers["Content-Security-Policy"]
    assert "Ada" in (await (await running.sign_in("ada")).get("/page", headers=HTML)).text


async def test_403_without_the_permission_and_200_with_it(own: Any) -> None:
    async def grants(request: AnyRequest, _runtime: Any) -> Resolved | None:
        given = request.headers.get("x-permissions")
        return Resolved(actor_with(given), holder) if given else None

    running = await own(application(), modules=[Module("grants", permissions=[REPORTS], resolvers=[grants])])
    ada = await running.sign_in("ada")
    holder, actor_with = await who(running, ada)
    refused = await ada.get("/reports")
    assert (refused.status_code, refused.json()["code"]) == (403, "request.forbidden")
    assert refused.json()["permission"] == "reports:read"
    program = await running.client(**{"X-Permissions": "reports:read"})
    assert (await program.get("/reports")).json() == ["one"]
    assert (await program.get("/by-name")).json() == "ada@example.com"
    other = await running.client(**{"X-Permissions": "reports:write"})
    assert (await other.get("/by-name")).status_code == 403


async def who(running: Any, client: Any) -> tuple[Any, Any]:
    """The holder behind a client, and what makes an actor like theirs with permissions."""
    cookie = f"session={client.cookies['session']}".encode()
    scope = {"type": "http", "method": "GET", "app": running.product_app, "headers": [(b"cookie", cookie)]}
    ctx: Context = await open_context(Request({**scope, "path": "/", "query_string": b""}))
    return ctx.holder, lambda given: type(ctx.actor)(
        "user", user_id=ctx.actor.user_id, email=ctx.actor.email, permissions=frozenset(given.split())
    )


async def test_the_kernels_own_dependencies_work_in_their_routes(own: Any) -> None:
    running = await own(application())
    ada = await running.sign_in("ada")
    assert (await ada.get("/read")).json() == {"plan": "free", "address": "127.0.0.1"}
    assert (await ada.post("/write")).status_code == 200
    assert (await ada.post("/write", headers={"Origin": "https://evil.example"})).status_code == 403
    async with system_context(running.product_app.state.runtime).service(writes=False) as ctx:
        assert [entry.action for entry in await latest_entries(ctx.db)].count("theirs.wrote") == 1


async def test_the_address_is_what_trusted_proxies_say(own: Any) -> None:
    ada = await (await own(application(), trusted_proxies=1)).sign_in("ada")
    answer = await ada.get("/read", headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.7"})
    assert answer.json()["address"] == "203.0.113.7"


async def test_what_they_keep_in_the_state_of_a_request_is_theirs(own: Any) -> None:
    app = application()

    @app.middleware("http")
    async def theirs(request: Request, call_next: Any) -> Any:
        request.state.context = "theirs"
        answer = await call_next(request)
        answer.headers["X-Theirs"] = request.state.context
        return answer

    running = await own(app)
    ada = await running.sign_in("ada")
    answer = await ada.get("/me")
    assert (answer.json()["email"], answer.headers["X-Theirs"]) == ("ada@example.com", "theirs")
    assert (await ada.get("/v1/me")).status_code == 200


async def test_a_handler_of_theirs_for_problems_stays(own: Any) -> None:
    app = application()

    @app.exception_handler(Problem)
    async def plain(_request: Request, problem: Problem) -> Response:
        return Response(problem.code, status_code=problem.status)

    answer = await (await (await own(app)).client()).get("/me")
    assert (answer.status_code, answer.text) == (401, "request.unauthenticated")


async def test_included_routers_and_nested_dependencies_know_the_product(own: Any) -> None:
    async def name_of(user: CurrentUser) -> str:
        return user.name or ""

    router, app = APIRouter(prefix="/more"), application()

    @router.get("/name")
    async def name(name: Annotated[str, Depends(name_of)], ctx: SignedIn) -> dict[str, str]:
        return {"name": name, "email": ctx.actor.email or ""}

    app.include_router(router, prefix="/even")
    ada = await (await own(app)).sign_in("ada")
    assert (await ada.get("/even/more/name")).json() == {"name": "Ada Lovelace", "email": "ada@example.com"}


async def test_an_application_that_nothing_was_mounted_in_says_so() -> None:
    scope = {"type": "http", "app": FastAPI(), "headers": [], "method": "GET", "path": "/", "query_string": b""}
    with pytest.raises(LookupError, match=r"tenantry\.mount\(app, tenantry\.create_app\(product\)\)"):
        await open_context(Request(scope))


async def test_a_modules_routes_may_use_them_too(own: Any) -> None:
    router = APIRouter()

    @router.get("/v1/mine")
    async def mine(user: CurrentUser) -> User:
        return user

    running = await own(application(), modules=[Module("mine", routers=[router])])
    ada = await running.sign_in("ada")
    assert (await ada.get("/v1/mine")).json()["name"] == "Ada Lovelace"
    assert (await (await running.client()).get("/v1/mine")).status_code == 401
    described = running.product_app.openapi()["paths"]["/v1/mine"]["get"]["responses"]
    assert {"200", "401", "503"} <= set(described)
