"""Stripe's API through the official SDK, over our own connection. Loaded when Stripe is first asked, never before.

The SDK makes the requests: how parameters are written, idempotency keys, the version of the API. What it would do with
the answers it does not get to do: it makes objects with attributes of whatever arrives, and we trust none of it. It is
kept from reporting on the machine, and from writing a file for that into the home directory.
"""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

import msgspec
import stripe

from ..errors import ProviderAway
from .building import Credentials
from .http import ProviderApi
from .stripe_asking import Refused
from .stripe_fields import Document, table

API_VERSION = "2026-10-28.endive"
"""What our questions are answered in, whatever the account or the SDK prefers. Events come in their endpoint's own."""
_QUIET = {"x-stripe-client-user-agent"}


class StripeClient:
    """One account. `base_url` without a path. Raises `ProviderAway` as `ProviderApi` does, and `Refused`."""

    def __init__(self, credentials: Credentials, http: ProviderApi) -> None:
        stripe.enable_telemetry = False
        self._sdk = stripe.StripeClient(
            credentials.key or "",
            stripe_version=API_VERSION,
            base_addresses={"api": credentials.base_url.rstrip("/")},
            max_network_retries=0,
            http_client=_Connection(http),
        )

    async def ask(self, method: Literal["get", "post", "delete"], *path: str, **parameters: Any) -> Document:
        """One question; the parts of the path are quoted. None is left out; `idempotency_key` becomes the header."""
        try:
            answer = await self._sdk.raw_request_async(method, "/v1/" + "/".join(map(_quoted, path)), **parameters)
        except stripe.StripeError as error:
            raise ProviderAway(internal=f"stripe: {type(error).__name__}") from error
        if not isinstance(answer.data, dict):
            raise ProviderAway(internal=f"stripe: {path[0]} is answered by no JSON object")
        return answer.data


class _Connection(stripe.HTTPClient):
    """The SDK's requests over our connection, with its bounds on time and size."""

    name = "tenantry"

    def __init__(self, http: ProviderApi) -> None:
        super().__init__()
        self._http = http

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        kept = {name: value for name, value in headers.items() if name.lower() not in _QUIET}
        content = None if post_data is None else post_data.encode()
        answer = await self._http.send(method.upper(), url, content=content, headers=kept)
        if not answer.is_good:
            raise Refused(answer.status, table(table(answer.document).get("error")))
        return msgspec.json.encode(answer.document), answer.status, {}


def _quoted(part: str) -> str:
    return quote(part, safe="")


__all__ = ["API_VERSION", "StripeClient"]
