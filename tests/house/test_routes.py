"""Every route of the application: who may call it, what it documents, what it accepts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Response
from pydantic import BaseModel, ConfigDict

from house.rules import routes
from house.rules.tree import unexcused
from tenantry import Organizations, create_app
from tenantry.blueprints.crypto_data import product as crypto_data
from tenantry.kernel import Open, Read, Settings, Write, problems
from tenantry.kernel.problems import Unauthenticated

product = replace(crypto_data, organizations=Organizations())
OF_NO_MODULE = {
    "GET /static": "style sheets and scripts, the same for everybody (web plugs nothing in)",
    "POST /preferences": "theme and language, kept in a cookie (web plugs nothing in)",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The blueprint, never started: its routes are there without a database."""
    path = tmp_path_factory.mktemp("routes") / "none.db"
    secret = "test-key-of-forty-characters-0123456789ab"
    return create_app(product, Settings(database_url=f"sqlite:///{path}", secret_keys=(secret,)), log_requests=False)


@pytest.fixture(scope="module")
def found(app: FastAPI) -> list[routes.Door]:
    return routes.doors(app)


def public_of(app: FastAPI) -> dict[str, str]:
    named: list[tuple[str, str]] = [one for module in app.state.runtime.modules for one in module.public.items()]
    assert len(named) == len(dict(named)), "two modules declare the same route"
    return {**dict(named), **OF_NO_MODULE}


def test_there_are_routes_and_none_is_forgotten(app, found):
    assert {"GET /v1/me", "PATCH /v1/me", "GET /v1/prices/{symbol}", "GET /", "GET /healthz"} <= set(map(str, found))
    assert {door.path for door in found if door.is_json} == set(app.openapi()["paths"])


def test_every_route_for_strangers_has_a_reason(app, found):
    assert unexcused(routes.undeclared(found, public_of(app)), {}) == []


@pytest.mark.parametrize(
    "rule", [routes.blocking, routes.undocumented, routes.misplaced, routes.open_bodies, routes.unguarded]
)
def test_every_route_keeps_the_rules(found, rule):
    assert unexcused(rule(found), {}) == []


def test_the_blueprint_was_not_started(tmp_path_factory):
    assert not list(Path(tmp_path_factory.getbasetemp()).rglob("none.db"))


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str


class Nested(BaseModel):
    model_config = ConfigDict(extra="forbid")

    inner: list["Loose"] | None


class Loose(BaseModel):
    name: str


Nested.model_rebuild()


class Endpoints:
    """One of each kind that the rules look at."""

    @staticmethod
    async def signed_in(ctx: Read) -> Closed:
        """Describe it."""

    @staticmethod
    async def stranger(ctx: Open) -> Closed:
        """Describe it."""

    @staticmethod
    async def modelless(ctx: Read):
        """Describe it."""

    @staticmethod
    async def raw(ctx: Read) -> Response:
        """Describe it."""

    @staticmethod
    async def undescribed(ctx: Read) -> Closed: ...

    @staticmethod
    async def loose(ctx: Write, body: Loose) -> Closed:
        """Describe it."""

    @staticmethod
    async def nested(ctx: Write, body: Nested) -> Closed:
        """Describe it."""

    @staticmethod
    async def closed(ctx: Write, body: Closed) -> Closed:
        """Describe it."""

    @staticmethod
    def blocking(ctx: Read) -> Closed:
        """Describe it."""

    @staticmethod
    async def leaning(ctx: Read, time: str = Depends(lambda: "now")) -> Closed:
        """Describe it."""


def planted(*planned: tuple[str, str, str], **options: Any) -> list[routes.Door]:
    """The doors of an application with the given (method, path, endpoint), in a router that is included."""
    router = APIRouter()
    options.setdefault("responses", problems(Unauthenticated))
    for method, path, name in planned:
        router.add_api_route(path, getattr(Endpoints, name), methods=[method], **options)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(router)
    return routes.doors(app)


OFFENCES = [
    (routes.blocking, [("GET", "/v1/x", "blocking")], {}),
    (routes.blocking, [("GET", "/v1/x", "leaning")], {}),
    (routes.undocumented, [("GET", "/v1/x", "signed_in")], {"responses": {}}),
    (routes.undocumented, [("GET", "/v1/x", "modelless")], {}),
    (routes.undocumented, [("GET", "/v1/x", "undescribed")], {}),
    (routes.misplaced, [("GET", "/v2/x", "signed_in")], {}),
    (routes.misplaced, [("GET", "/dashboards", "signed_in")], {"include_in_schema": False}),
    (routes.misplaced, [("GET", "/dashboard", "signed_in")], {}),
    (routes.misplaced, [("GET", "/v1/x", "signed_in"), ("GET", "/v1/x", "raw")], {}),
    (routes.misplaced, [("GET", "/v1/x", "signed_in"), ("GET", "/v1/y", "raw")], {"operation_id": "same"}),
    (routes.unguarded, [("GET", "/admin/x", "signed_in")], {"include_in_schema": False}),
    (routes.open_bodies, [("POST", "/v1/x", "loose")], {}),
    (routes.open_bodies, [("PATCH", "/v1/x", "nested")], {}),
]
GOOD = [("GET", "/v1/x", "signed_in"), ("POST", "/v1/x", "closed"), ("GET", "/v1/y", "raw")]


@pytest.mark.parametrize(("rule", "planned", "options"), OFFENCES)
def test_a_route_that_breaks_a_rule_is_found(rule, planned, options):
    assert list(rule(planted(*planned, **options)))


@pytest.mark.parametrize("rule", [routes.blocking, routes.undocumented, routes.misplaced, routes.open_bodies])
def test_routes_that_keep_the_rules_pass(rule):
    assert list(rule(planted(*GOOD))) == []


def test_an_open_route_without_reason_and_a_reason_without_open_route_are_found():
    doors = planted(("GET", "/v1/open", "stranger"), ("GET", "/v1/closed", "signed_in"))
    assert [one.place for one in routes.undeclared(doors, {})] == ["GET /v1/open"]
    assert list(routes.undeclared(doors, {"GET /v1/open": "a reason"})) == []
    stale = {"GET /v1/open": "a reason", "GET /v1/closed": "a reason", "GET /v1/gone": "a reason"}
    assert [one.place for one in routes.undeclared(doors, stale)] == ["GET /v1/closed", "GET /v1/gone"]
    assert [one.place for one in routes.undeclared(doors, {"GET /v1/open": ""})] == ["GET /v1/open"]
