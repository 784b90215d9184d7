"""Asking Stripe: opens the SDK's client with the first question, and says what a refusal is for the caller."""

import asyncio
from typing import Any, Literal, Protocol, cast

from tenantry.kernel.extras import extra

from ..errors import ChangeRefused, ProviderAway
from .building import Credentials
from .http import ProviderApi
from .stripe_fields import Document, text

Method = Literal["get", "post", "delete"]


class Refused(Exception):
    """A question that Stripe answered with no: the status, and its error's words."""

    def __init__(self, status: int, error: Document) -> None:
        self.status = status
        self.code = text(error.get("code"), characters_max=100) or ""
        self.kind = text(error.get("type"), characters_max=100) or ""
        self.message = text(error.get("message"), characters_max=500)
        super().__init__(f"status {status}, {self.kind} {self.code}")

    @property
    def is_missing(self) -> bool:
        """The object is not there, which is another thing than an address that is not."""
        return self.status == 404 and self.code == "resource_missing"

    def problem(self) -> ChangeRefused | ProviderAway:
        """What it is for the caller: the provider's own words, where they are about the caller's wish and not ours."""
        is_ours = self.status in {401, 403} or not self.message or self.code == "idempotency_key_in_use"
        return ProviderAway(internal=f"stripe: {self}") if is_ours else ChangeRefused(self.message, internal=str(self))


class Client(Protocol):
    """What `stripe_client.py` makes."""

    async def ask(self, method: Method, *path: str, **parameters: Any) -> Document: ...


class StripeAsking:
    """One account, asked through the SDK. Without a key everything raises `ProviderAway`."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._http = ProviderApi("stripe", credentials.base_url, {})
        self._client: Client | None = None

    async def get(self, *path: str, **parameters: Any) -> Document | None:
        """What lies at a path; None when there is no such object. Every other refusal is `ProviderAway`."""
        try:
            return await (await self._opened()).ask("get", *path, **parameters)
        except Refused as refused:
            if refused.is_missing:
                return None
            raise ProviderAway(internal=f"stripe: {path[0]}: {refused}") from refused

    async def ask(self, method: Method, *path: str, **parameters: Any) -> Document:
        """A question on somebody's behalf. A refusal is `ChangeRefused` in Stripe's words, where they are for them."""
        try:
            return await (await self._opened()).ask(method, *path, **parameters)
        except Refused as refused:
            raise refused.problem() from refused

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _opened(self) -> Client:
        if self._credentials.key is None:
            raise ProviderAway(internal="stripe: there is no key to ask with")
        if self._client is None:
            # Loading the SDK takes a quarter of a second and more, and other requests are not to wait for it.
            made = await asyncio.to_thread(_loaded)
            self._client = cast("Client", made.StripeClient(self._credentials, self._http))
        return self._client


def _loaded() -> Any:
    extra("stripe")
    return extra(f"{__package__}.stripe_client")
