"""What the tests of authorizing share: somebody's key, all that may be the matter with it, and who asks about it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import update

from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.database import param, statement
from tenantry.kernel.sql import now
from tenantry.keys import KnownKeys
from tenantry.keys.models import ApiKeys
from tenantry.keys.service_keys import issue_for
from tenantry.testing import AppKit

PATH = "/v1/authorize"
_key = update(ApiKeys).where(ApiKeys.id == param("this"))
_holder = update(Holders).where(Holders.id == param("this"))
_owner = update(Users).where(Users.id == param("this"))
CHANGES: dict[str, tuple[str, Any]] = {
    "keys.revoked": ("key", statement(_key.values(status="revoked", revoked_at=now()))),
    "keys.expired": ("key", statement(_key.values(expires_at=now()))),
    "keys.pending": ("key", statement(_key.values(status="pending_verification", revoked_at=None))),
    "keys.owner_closed": ("owner", statement(_owner.values(deleted_at=now()))),
    "keys.owner_banned": ("owner", statement(_owner.values(banned_at=now()))),
    "keys.trial_ended": ("holder", statement(_holder.values(ends_at=now()))),
    "keys.holder_suspended": ("holder", statement(_holder.values(suspended_at=now()))),
}
"""What is written, and of whom, when this is the matter."""
FAULTS = [*CHANGES, "keys.scope_missing", "usage.burst_exceeded", "usage.quota_exceeded"]
"""The codes of all that may be the matter with a key that there is, in the order in which they are told."""
_MENDED: list[tuple[str, Any]] = [
    ("key", statement(_key.values(status="active", expires_at=None, revoked_at=None))),
    ("owner", statement(_owner.values(deleted_at=None, banned_at=None, ban_ends_at=None))),
    ("holder", statement(_holder.values(ends_at=None, suspended_at=None))),
]


@dataclass(frozen=True)
class Shown:
    """A key of somebody's."""

    kit: AppKit
    secret: str
    ids: dict[str, UUID]

    @property
    def headers(self) -> dict[str, str]:
        return bearer(self.secret)

    async def befall(self, code: str) -> None:
        """Let this be the matter, as another process would write it."""
        await self._write(*CHANGES[code])

    async def mend(self) -> None:
        """Nothing is the matter any more."""
        for one in _MENDED:
            await self._write(*one)

    async def _write(self, subject: str, change: Any) -> None:
        async with self.kit.system.service() as ctx:
            await ctx.db.run(change, this=self.ids[subject])
        self.kit.runtime.port(KnownKeys).forget(self.ids[subject])


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def service_secret(kit: AppKit, person: str = "grace") -> str:
    """The key of the operator's service, as `tenantry keys issue` makes it; the person has signed in by then."""
    await kit.sign_in(person)
    return (await issue_for(kit.system, f"{person}@example.com", label="gateway", scopes=["authorize"])).secret


async def shown(kit: AppKit, person: httpx2.AsyncClient, **given: Any) -> Shown:
    """A key that works."""
    answer = await person.post("/v1/keys", json={"label": "robot", **given})
    assert answer.status_code == 201, answer.text
    secret = answer.json()["secret"]
    known = await kit.runtime.port(KnownKeys).find(kit.system, secret)
    assert known.owner_id is not None
    return Shown(kit, secret, {"key": known.id, "holder": known.holder.id, "owner": known.owner_id})
