"""The page about signing in by JSON is true: every request of it is sent, in its order, and every answer compared."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pyotp
import pytest

from identity.authenticator import Device
from identity.mailbox import mailbox, token_in
from tenantry import MagicLink, Passkey, Password
from tenantry.identity.limits import FROM_A_NETWORK, GUESSES, MAILS, SIX_DIGITS
from tenantry.identity.tokens import CODE_TRIES, CODE_TRIES_AN_HOUR, CODE_TRIES_OF_A_NETWORK
from tenantry.kernel import Problem
from tenantry.testing import AppKit

PAGE = (Path(__file__).parents[2] / "docs" / "sign-in.md").read_text(encoding="utf-8")
MORE = "…"
_NAME = re.compile(r"<([^<>]+)>")
_CODE = re.compile(r"(?<=\s)\d{6}(?=\s)")


@pytest.fixture
async def kit(start, product_of):
    return await start(product_of(sign_in=[Password(), MagicLink(), Passkey()]))


class Reader:
    """Whoever follows the page: what they were answered, sent and shown so far."""

    def __init__(self, kit: AppKit) -> None:
        self.kit = kit
        self.known: dict[str, Any] = {}
        self.device = Device()
        self.address = ""

    async def send(self, request: str) -> httpx2.Response:
        """Send a request as the page writes it."""
        for name in _NAME.findall(request):
            value = await self._value(name)
            text = value if isinstance(value, str) else json.dumps(value)
            request = request.replace(f"<{name}>", text)
        first, *lines = request.strip().splitlines()
        method, path = first.split()
        headers = dict(line.split(": ") for line in lines if not line.startswith(("{", " ")))
        body = "".join(line for line in lines if line.startswith(("{", " ")))
        if body:
            headers["content-type"] = "application/json"
            self.address = json.loads(body).get("email", self.address)
        # An app: no cookies, and no browser that says where its page came from.
        app = await self.kit.client()
        del app.headers["origin"]
        answer = await app.request(method, path, content=body or None, headers=headers)
        await self.kit.run_jobs()
        assert not app.cookies or "token" not in answer.text
        return answer

    async def _value(self, name: str) -> Any:
        if name == "mailed code":
            texts = [mail.text for mail in await mailbox(self.kit, self.address)]
            return next(found[-1] for text in reversed(texts) if (found := _CODE.findall(text)))
        if name == "code of the app":
            await self.kit.move(seconds=30)
            return pyotp.TOTP(self.known["secret"]).at(self.kit.clock.now())
        if name == "made credential":
            return self.device.make(self.known["options"])
        if name == "shown credential":
            return self.device.show(self.known["options"])
        if name.startswith("token in the mail to "):
            return token_in((await mailbox(self.kit, name.rpartition(" ")[2]))[-1])
        return self.known[name]

    def compare(self, expected: Any, found: Any, where: str) -> None:
        """The answer is what the page says, and its named values are known from now on."""
        if expected == MORE:
            assert found is not None, where
        elif isinstance(expected, str) and (name := _NAME.fullmatch(expected)):
            assert found, where
            self.known[name[1]] = found
        elif isinstance(expected, dict):
            wanted = {key: value for key, value in expected.items() if key != MORE}
            assert (wanted.keys() <= found.keys()) if MORE in expected else (wanted.keys() == found.keys()), where
            for key, value in wanted.items():
                self.compare(value, found[key], f"{where}.{key}")
        elif isinstance(expected, list):
            wanted_items = [item for item in expected if item != MORE]
            assert MORE in expected or len(expected) == len(found), where
            for place, item in enumerate(wanted_items):
                self.compare(item, found[place], f"{where}[{place}]")
        else:
            assert expected == found, where


def expected_of(text: str) -> Any:
    """The JSON of an answer as the page writes it, with what is left open as values."""
    text = re.sub(r'(?<!")<([^<>]+)>(?!")', r'"<\1>"', text)
    text = text.replace("[…]", '"…"').replace(", …}", ', "…": 0}').replace(", …]", ', "…"]')
    return json.loads(text)


def steps() -> Iterator[tuple[str, int, str]]:
    """Each request of the page with its status and body."""
    for block in PAGE.split("```http\n")[1:]:
        request, _, answer = block.partition("```")[0].partition("\n\n")
        status, _, body = answer.partition("\n")
        yield request, int(status), body.strip()


async def test_the_page_is_true_from_its_first_request_to_its_last(kit):
    reader = Reader(kit)
    for request, status, body in steps():
        answer = await reader.send(request)
        assert answer.status_code == status, (request, answer.text)
        assert bool(body) == bool(answer.content), request
        if body:
            reader.compare(expected_of(body), answer.json(), request.splitlines()[0])


async def test_every_route_the_page_names_is_there(kit):
    described = (await (await kit.client()).get("/openapi.json")).json()["paths"]
    routes = {re.sub(r"{\w+}", "{}", path) for path in described}
    named = {re.sub(r"{\w+}", "{}", path) for path in re.findall(r"/v1/[\w/{}-]+", PAGE)}
    missing = named - routes
    assert missing == set()
    assert len(named) > 25


def problems(of: type[Problem] = Problem) -> Iterator[type[Problem]]:
    for one in of.__subclasses__():
        yield one
        yield from problems(one)


def table(name: str) -> list[list[str]]:
    """The rows of a table between its marks."""
    text = PAGE.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in text.strip().splitlines()[2:]]


def test_the_pages_codes_are_those_that_are_answered():
    statuses = {one.code: one.status for one in problems() if "code" in vars(one)}
    rows = table("codes")
    assert len(rows) > 15
    for code, status, _way_out in rows:
        assert statuses[code.strip("`")] == int(status), code


def test_the_pages_limits_are_those_that_count():
    assert dict(table("limits")) == {
        "passwords and recovery codes, at one account": f"{GUESSES.account} in 15 minutes",
        "codes of the app, at one account": f"{SIX_DIGITS.account} in 15 minutes, {SIX_DIGITS.day} a day",
        "mailed codes": f"{CODE_TRIES} of one mail, {CODE_TRIES_AN_HOUR} an hour of one address, "
        f"{CODE_TRIES_OF_A_NETWORK} in 10 minutes from one network",
        "mails to one address": f"{MAILS.account} in 15 minutes, {MAILS.day} a day",
        "mails asked for from one network": f"{MAILS.network} in 10 minutes",
        "anything else from one network": f"{FROM_A_NETWORK} in 10 minutes",
    }
