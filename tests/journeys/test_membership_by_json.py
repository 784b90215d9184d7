"""The token membership as a program goes through it: buy, be PREMIUM, spend, invite, be shut out. JSON only."""

from collections.abc import Iterator
from uuid import UUID

import httpx2
import pytest

from journeys.selling import Sale, selling, until
from journeys.test_next_day import run
from tenantry.blueprints.token_membership import product
from tenantry.cli.environment import read_settings
from tenantry.cli.preparing import running
from tenantry.identity.operating import ban
from tenantry.kernel.context import system_context
from tenantry.testing import environment_of

MARKS, WORDS = "/api/v1/marks", {"words": "Analytical Engine"}


@pytest.fixture
def sale(database, tmp_path) -> Iterator[Sale]:
    with selling(database, tmp_path, "token_membership") as running_now:
        yield running_now


def me(client: httpx2.Client, *names: str) -> tuple[object, ...]:
    """What `/v1/me` says under these names."""
    found = client.get("/v1/me").json()
    return tuple(found[name] for name in names)


def made(client: httpx2.Client, path: str, **body: object) -> dict[str, object]:
    answer = client.post(path, json=body)
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, object] = answer.json()
    return found


def shut_out(sale: Sale, user: UUID) -> None:
    """As an operator does it, in another process than the server."""

    async def act() -> None:
        async with running(product, read_settings(environment_of(sale.database))) as runtime:
            await ban(system_context(runtime), user, reason="Sold marks of others")

    run(act())


def test_from_the_first_mark_to_the_ban(sale):
    with sale.server.sign_in("ada") as ada, sale.server.sign_in("grace") as grace:
        assert me(ada, "role", "membership_status", "tokens", "organization_id") == ("USER", "ACTIVE", 10, None)
        prices = {one["name"]: one["prices"][0] for one in ada.get("/v1/products").json()["items"]}
        assert set(prices) == {"Premium", "Premium, a year", "100 tokens", "1,000 tokens"}
        sale.shop.pay(str(made(ada, "/v1/checkout", price=prices["Premium"]["id"])["url"]))
        sale.carry(shuffled=1, times=2)
        until(lambda: me(ada, "role", "membership_status", "tokens"), ("PREMIUM", "ACTIVE", 510))
        # A second one, beside the subscription, and paid once.
        sale.shop.pay(str(made(ada, "/v1/checkout", price=prices["100 tokens"]["id"])["url"]))
        sale.carry(shuffled=2, times=2)
        until(lambda: me(ada, "tokens"), (610,))
        sale.carry_again(shuffled=3)
        sale.settle()
        key = made(ada, "/v1/keys", label="robot")["secret"]
        robot = {"Authorization": f"Bearer {key}"}
        drawn = httpx2.post(f"{sale.server.url}{MARKS}", json=WORDS, headers=robot)
        assert (drawn.status_code, drawn.json()["tokens"]) == (201, 605)
        ending = made(ada, "/v1/subscription/cancel")
        assert me(ada, "role", "membership_status", "tokens") == ("PREMIUM", "CANCELED", 605)
        # What expires first is spent first: the period's own, not the gift or what was paid once.
        kept = ada.get("/v1/credits").json()
        assert (kept["next_expiry"], kept["expiring"]) == (ending["access_until"], 495)
        ledger = ada.get("/v1/credits/entries").json()["items"]
        assert [one["amount"] for one in ledger] == [-5, 100, 500, 10]
        assert sum(one["amount"] for one in ledger) == kept["balance"]

        team = made(ada, "/v1/organizations", name="Analytical Engines")["id"]
        made(ada, f"/v1/organizations/{team}/invitations", email="grace@example.com")
        [waiting] = grace.get("/v1/invitations").json()["items"]
        assert made(grace, f"/v1/invitations/{waiting['id']}/accept")["organization_id"] == team
        assert me(grace, "role", "tokens", "organization_id") == ("USER", 10, team)
        members = grace.get(f"/v1/organizations/{team}/members").json()["items"]
        assert {one["email"]: one["role"] for one in members} == {
            "ada@example.com": "owner",
            "grace@example.com": "member",
        }

        shut_out(sale, UUID(str(me(ada, "id")[0])))
        asked = {
            "session": lambda: ada.get("/v1/me"),
            "key": lambda: httpx2.get(f"{sale.server.url}/v1/credits", headers=robot),
        }
        for refused in asked.values():
            until(lambda refused=refused: refused().is_success, wanted=False)
        told = {
            name: (answer.status_code, answer.json()["code"]) for name, answer in ((n, a()) for n, a in asked.items())
        }
        assert told == {"session": (401, "request.unauthenticated"), "key": (403, "keys.owner_banned")}
        assert ada.post(MARKS, json=WORDS).status_code == 401
        with pytest.raises(RuntimeError, match="ended with 403"), sale.server.sign_in("ada"):
            pass
        # Who was invited goes on.
        assert grace.post(MARKS, json=WORDS).json()["tokens"] == 5
