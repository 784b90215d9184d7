"""PostgreSQL is killed under somebody's own application: its routes say so, and those that ask nobody go on."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from tenantry import Meter
from tenantry.fastapi import CurrentUser, Metered, Require, User
from tenantry.testing import TestDatabase, postgres_database, start_postgres

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_kind", ["postgresql"])]
requests = Meter("requests", per="day")


@pytest.fixture
def server(database_kind: str) -> Any:
    with start_postgres(durable=True) as server:
        yield server


@pytest.fixture
def database(server: Any) -> TestDatabase:
    return postgres_database(server, "killed")


def application() -> FastAPI:
    app = FastAPI()

    @app.get("/hello")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    @app.get("/me")
    async def me(user: CurrentUser) -> User:
        return user

    @app.get("/metered", dependencies=[Metered(requests)])
    async def metered() -> None: ...

    @app.get("/permitted", dependencies=[Require("reports:read")])
    async def permitted() -> None: ...

    return app


async def test_503_while_the_database_is_away(own: Any, server: Any) -> None:
    running = await own(application())
    ada = await running.sign_in("ada")
    assert (await ada.get("/metered")).headers["X-RateLimit-Remaining"] == "9"
    await asyncio.to_thread(server.kill)
    try:
        for path in ("/me", "/metered", "/permitted"):
            answer = await ada.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "database.unavailable")
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert int(answer.headers["Retry-After"]) >= 1
            page = await ada.get(path, headers={"Accept": "text/html"})
            assert (page.status_code, "Acme" in page.text) == (503, True)
        assert (await ada.get("/hello")).status_code == 200
        # Whoever brings no credential is told so without a database.
        assert (await (await running.client()).get("/metered")).status_code == 401
    finally:
        await asyncio.to_thread(server.restart)
    assert (await ada.get("/me")).status_code == 200
    assert (await ada.get("/metered")).status_code == 200
