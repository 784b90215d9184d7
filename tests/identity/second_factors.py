"""An authenticator app for tests: `app = await App.of(kit, browser)` sets it up, `app.code(kit)` reads it off."""

from dataclasses import dataclass

import httpx2
import pyotp

from tenantry.testing import AppKit

STEP = 30


@dataclass
class App:
    """A person's app: the secret it was told, and the recovery codes that came with it."""

    secret: str
    recovery_codes: list[str]

    @classmethod
    async def of(cls, kit: AppKit, browser: httpx2.AsyncClient) -> "App":
        """Set an app up for whoever is signed in, and let the code of setting it up pass by."""
        secret = (await browser.post("/v1/me/totp")).json()["secret"]
        answer = await browser.post("/v1/me/totp/confirm", json={"code": code_of(kit, secret)})
        assert answer.status_code == 200, answer.text
        await kit.move(seconds=STEP)
        return cls(secret, answer.json()["recovery_codes"])

    def code(self, kit: AppKit, steps: int = 0) -> str:
        """What the app shows now, or so many steps from now."""
        return code_of(kit, self.secret, steps)

    def wrong_code(self, kit: AppKit) -> str:
        """Six digits that are right for no step near now."""
        near = {self.code(kit, steps) for steps in range(-3, 4)}
        return next(
            code for code in ("000000", "111111", "222222", *map(str, range(333333, 333342))) if code not in near
        )


def code_of(kit: AppKit, secret: str, steps: int = 0) -> str:
    """The code of a secret by another reading of RFC 6238 than ours: the library's own clock arithmetic."""
    return pyotp.TOTP(secret).at(kit.clock.now(), counter_offset=steps)


async def half(kit: AppKit, person: str = "ada", **headers: str) -> httpx2.AsyncClient:
    """A browser that has shown the first proof of a person with a second factor."""
    client = await kit.client(**headers)
    answer = await kit.finish_sign_in(client, person, await client.get("/auth/demo/start"))
    assert answer.headers["location"].startswith("/auth/second-factor?"), answer.text
    return client


async def is_signed_in(client: httpx2.AsyncClient) -> bool:
    """Whether the API takes a browser for somebody."""
    return (await client.get("/v1/me")).status_code == 200
