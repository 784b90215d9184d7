"""Role by route: what each of them is answered, everywhere. A change that is let through is made to one of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from house.rules import routes
from organizations.people import Somebody, ask, invited, organization, seats, somebody, team_product
from tenantry import Organizations, Plan
from tenantry.identity.actions.people import ban_user
from tenantry.kernel import new_id
from tenantry.organizations import queries
from tenantry.organizations.roles import DESCRIPTIONS, PERMISSIONS
from tenantry.testing import AppKit

WHO = ("owner", "admin", "member", "invited", "stranger", "banned", "nobody")
TABLE = """
GET    /v1/organizations                                        200 200 200 200 200 401 401
POST   /v1/organizations                                        201 201 201 201 201 401 401
GET    /v1/organizations/{id}                                   200 200 200 404 404 401 401
PATCH  /v1/organizations/{id}                                   200 200 403 404 404 401 401
DELETE /v1/organizations/{id}                                   204 403 403 404 404 401 401
PUT    /v1/me/organization                                      200 200 200 404 404 401 401
GET    /v1/organizations/{id}/members                           200 200 200 404 404 401 401
PATCH  /v1/organizations/{id}/members/{target}                  204 204 403 404 404 401 401
PATCH  /v1/organizations/{id}/members/{owner}                   409 409 403 404 404 401 401
PATCH  /v1/organizations/{id}/members/{absent}                  404 404 403 404 404 401 401
DELETE /v1/organizations/{id}/members/{target}                  204 204 403 404 404 401 401
DELETE /v1/organizations/{id}/members/{self}                    409 204 204 404 404 401 401
DELETE /v1/organizations/{id}/members/{owner}                   409 409 403 404 404 401 401
DELETE /v1/organizations/{id}/members/{absent}                  404 404 403 404 404 401 401
POST   /v1/organizations/{id}/leave                             409 204 204 404 404 401 401
POST   /v1/organizations/{id}/transfer                          204 403 403 404 404 401 401
GET    /v1/organizations/{id}/invitations                       200 200 403 404 404 401 401
POST   /v1/organizations/{id}/invitations                       201 201 403 404 404 401 401
POST   /v1/organizations/{id}/invitations/{invitation}/resend   200 200 403 404 404 401 401
POST   /v1/organizations/{id}/invitations/{absent}/resend       404 404 403 404 404 401 401
DELETE /v1/organizations/{id}/invitations/{invitation}          200 200 403 404 404 401 401
GET    /v1/invitations                                          200 200 200 200 200 401 401
POST   /v1/invitations/{invitation}/accept                      404 404 404 200 404 401 401
POST   /v1/invitations/{invitation}/decline                     404 404 404 204 404 401 401
POST   /v1/invitations/accept                                   403 403 403 200 403 401 401
POST   /v1/invitations/decline                                  403 403 403 204 403 401 401
"""
ROWS = [(method, path, dict(zip(WHO, map(int, expected), strict=True)))
        for method, path, *expected in map(str.split, TABLE.strip().splitlines())]  # fmt: skip
BODIES = {
    ("POST", "/v1/organizations"): {"name": "Another"},
    ("PATCH", "/v1/organizations/{id}"): {"name": "Another"},
    ("PUT", "/v1/me/organization"): {"organization_id": "{id}"},
    ("POST", "/v1/organizations/{id}/transfer"): {"user_id": "{target}"},
    ("POST", "/v1/organizations/{id}/invitations"): {"email": "one@example.com"},
    ("POST", "/v1/invitations/accept"): {"token": "{token}"},
    ("POST", "/v1/invitations/decline"): {"token": "{token}"},
}
CHANGE = {"role": "admin"}
ROOMY = [Plan("free", price=0, limits={seats: None})]


@dataclass
class World:
    """Everybody, and an organization of theirs that is made anew when something has changed it."""

    kit: AppKit
    client: httpx2.AsyncClient
    people: Mapping[str, Somebody]
    target: Somebody
    ids: dict[str, str]

    async def begin(self) -> None:
        people = self.people
        made = await organization(self.kit, people["owner"], {"admin": people["admin"], "member": people["member"]})
        async with self.kit.system.service() as ctx:
            for one in (self.target, people["banned"]):
                await queries.members.add(ctx.db, made.id, one.id, "member")
        invitation, token = await invited(self.kit, made, people["invited"].email, people["owner"])
        self.ids |= {"id": str(made.id), "invitation": str(invitation.id), "token": token}

    async def knock(self, who: str, method: str, path: str, **other: str) -> httpx2.Response:
        ids = {**self.ids, "self": str(self.people[who].id) if who in self.people else self.ids["absent"], **other}
        body = CHANGE if method == "PATCH" and "members" in path else BODIES.get((method, path))
        told = {name: value.format(**ids) for name, value in body.items()} if body else None
        return await ask(self.client, self.people.get(who), method, path.format(**ids), told)


async def gather(kit: AppKit) -> World:
    people = {who: await somebody(kit, who.title()) for who in WHO if who != "nobody"}
    target = await somebody(kit, "Target")
    world = World(kit, await kit.client(), people, target, {"target": str(target.id), "absent": str(new_id())})
    world.ids["owner"] = str(people["owner"].id)
    async with kit.system.service() as ctx:
        await ban_user(ctx, people["banned"].id, reason="test")
    await world.begin()
    return world


def same(answer: httpx2.Response) -> dict[str, Any]:
    """All that a refusal says, but for the number of the request."""
    return {name: value for name, value in answer.json().items() if name != "request_id"}


async def test_everybody_is_answered_by_their_role(start: Any) -> None:
    kit = await start(team_product(plans=ROOMY, organizations=Organizations(seats=seats, most=100)))
    world, wrong = await gather(kit), []
    for method, path, expected in ROWS:
        for who, status in expected.items():
            answer = await world.knock(who, method, path)
            if answer.status_code != status:
                wrong.append((who, method, path, answer.status_code, answer.text))
            if status == 403 and "/v1/organizations" in path:
                assert answer.json()["permission"] in {one.name for one in PERMISSIONS}
            if status == 404 and who == "stranger":
                # What is there and what is not are told in the same bytes.
                absent = {"id": world.ids["absent"], "invitation": world.ids["absent"]}
                assert same(answer) == same(await world.knock(who, method, path, **absent))
            if status < 400 and method != "GET":
                await world.begin()
    assert wrong == []


async def test_the_table_names_every_route_of_the_room(kit: AppKit) -> None:
    rooms = {str(route) for route in routes.doors(kit.app) if is_ours(route.path) and route.is_json}
    named = {f"{method} {shape(path)}" for method, path, _ in ROWS}
    assert {f"{method} {shape(path)}" for method, path in map(str.split, rooms)} == named
    assert DESCRIPTIONS.keys() == {"owner", "admin", "member"}


def is_ours(path: str) -> bool:
    return path.startswith(("/v1/organizations", "/v1/invitations", "/v1/me/organization"))


def shape(path: str) -> str:
    """A path with its places, whatever they are called."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
