"""Authlib's client for the code flow, with our bounds. Loaded by name when a sign-in first needs it, see `http.py`."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from tenantry.kernel.trust import trusted

from ..errors import ProviderAnswerInvalid
from .base import Registration
from .http import ANSWER_BYTES_MAX, TIMEOUT_SECONDS

__all__ = ["OAuthError", "oauth_client"]


def oauth_client(registration: Registration, *, scope: str) -> AsyncOAuth2Client:
    """A client with a connection pool of its own; an answer is bounded, uncompressed and no redirect."""
    client = AsyncOAuth2Client(
        client_id=registration.client_id,
        client_secret=registration.client_secret,
        scope=scope,
        code_challenge_method="S256",
        headers={"accept": "application/json", "accept-encoding": "identity", "user-agent": "tenantry"},
        timeout=TIMEOUT_SECONDS,
        follow_redirects=False,
        event_hooks={"response": [_bounded]},
        verify=trusted(),
    )
    client.register_compliance_hook("access_token_response", _form_as_json)
    return client


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._inner:
            size += len(piece)
            if size > ANSWER_BYTES_MAX:
                raise ProviderAnswerInvalid(internal=f"an answer of more than {ANSWER_BYTES_MAX} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _bounded(response: httpx2.Response) -> None:
    """Runs before the body is read."""
    if response.is_redirect:
        raise ProviderAnswerInvalid(internal=f"a redirect from {response.url.host}")
    # A compressed kilobyte may be a gigabyte; we asked for none.
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ProviderAnswerInvalid(internal=f"a compressed answer from {response.url.host}")
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _BoundedStream(response.stream)


def _form_as_json(response: httpx2.Response) -> httpx2.Response:
    """GitHub's token endpoint answers in form encoding to whoever does not insist; older servers always do."""
    if not response.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return response
    return httpx2.Response(response.status_code, json=dict(parse_qsl(response.text)), request=response.request)
