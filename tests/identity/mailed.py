"""What the tests of mailed flows share: a product with every way in, asking for mails, and who is signed in."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import update

from tenantry import MagicLink, Meter, Password, Plan, Product
from tenantry.identity.actions.registration import register
from tenantry.identity.models import Users
from tenantry.kernel.database import param, statement
from tenantry.testing import AppKit

ADA, BOB = "ada@example.com", "bob@example.com"
HTML = {"accept": "text/html"}
PASSWORD = "correct horse 7"

requests = Meter("requests", per="day")
_unprove = statement(update(Users).where(Users.id == param("user")).values(email_verified_at=None))


def mailing_product(*ways: Any) -> Product:
    """Password and magic link, both with sign-up, unless other ways are given."""
    plan = Plan("free", price=0, limits={requests: 5})
    return Product("Acme", sign_in=list(ways or (Password(), MagicLink())), plans=[plan])


def path_of(link: str) -> str:
    """A mailed link as a path with its query, for a client of the kit."""
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"


async def ask_for_link(client: Any, email: str = ADA, **form: str) -> Any:
    return await client.post("/auth/magic-link", data={"email": email, **form}, headers=HTML)


async def sign_up(client: Any, email: str = ADA, **form: str) -> Any:
    return await client.post("/signup", data={"email": email, "password": PASSWORD, **form}, headers=HTML)


async def confirm(client: Any, token: str, **form: str) -> Any:
    return await client.post("/auth/verify", data={"token": token, **form}, headers=HTML)


async def type_code(client: Any, code: str) -> Any:
    return await client.post("/auth/sent", data={"code": code}, headers=HTML)


async def me(client: Any) -> Any:
    """The signed-in user as the API tells; None for nobody."""
    answer = await client.get("/v1/me")
    return answer.json() if answer.status_code == 200 else None


async def person(kit: AppKit, email: str = ADA, *, proven: bool = True) -> UUID:
    """A user of that address who never came through a door; not `proven`: as an import brings them."""
    async with kit.system.service() as ctx:
        user = await register(ctx, email, name="Ada", method="import")
        if not proven:
            await ctx.db.run(_unprove, user=user)
    return user


def shape(answer: Any, email: str) -> dict[str, Any]:
    """Everything an answer tells about an address: equal shapes tell nothing."""
    body = answer.json() if "json" in answer.headers.get("content-type", "") else answer.text.replace(email, "ADDRESS")
    if isinstance(body, dict):
        body = {name: "ID" if name in {"challenge", "request_id"} else value for name, value in body.items()}
    else:
        body = body.replace(answer.headers.get("x-request-id", "-"), "ID")
    cookies = [cookie.partition("=") for cookie in answer.headers.get_list("set-cookie")]
    # A sealed cookie is as long as what it holds.
    kept = [(name, value.partition(";")[2], len(value) - len(email) * 4 // 3) for name, _, value in cookies]
    headers = {
        name: value for name, value in answer.headers.items() if name not in {"x-request-id", "set-cookie"}
    }  # fmt: skip
    return {"status": answer.status_code, "body": body, "headers": headers, "cookies": kept}
