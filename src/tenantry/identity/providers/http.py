"""Talking to a provider: the code flow, with bounds on time, size and redirects.

Authlib and what it brings are 10 MB and a tenth of a second, so they are loaded by the first sign-in, in a thread.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, NoReturn, cast

import httpx2

from tenantry.kernel.database import refuse_while_open
from tenantry.kernel.extras import extra, require_installed

from ..errors import ConnectionLost, ProviderAnswerInvalid, ProviderRefused, ProviderUnreachable, SignInExpired
from .base import Pending, Registration

TIMEOUT_SECONDS = 5.0
ANSWER_BYTES_MAX = 256 * 1024
_OAUTH = f"{__package__}.oauth"

# What GitHub answers for a token that it does not know, or no longer.
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY})
_UNREADABLE = (ValueError, TypeError, ArithmeticError, LookupError, AssertionError, RecursionError)
# RFC 6749 5.2, and GitHub's own words for the same.
_CODE_ERRORS = frozenset({"invalid_grant", "bad_verification_code"})
_REFRESH_ERRORS = frozenset({"invalid_grant", "bad_refresh_token"})


class ProviderHttp:
    """One provider's HTTP. Every method that asks refuses to run while a unit of work is open.

    A request takes 5 seconds at most in all, an answer 256 KiB, uncompressed; a redirect is an error, because the
    answer would come from somebody else.
    """

    def __init__(self, registration: Registration, *, scope: str) -> None:
        self._provider = registration.name
        self._registration = registration
        self._scope = scope
        self._is_open = False
        self._loading = asyncio.Lock()
        self._client: Any = None

    async def open(self) -> None:
        """Allow questions; raises ExtraMissing when Authlib is not installed. It is loaded when it is needed."""
        require_installed("authlib")
        self._is_open = True

    async def aclose(self) -> None:
        """Close the connections."""
        self._is_open = False
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def authorization_url(self, endpoint: str, pending: Pending, **more: str) -> str:
        """Where the browser goes, with state and PKCE challenge (RFC 7636, S256); `more` are further parameters."""
        client = await self._ready()
        url, _state = client.create_authorization_url(
            endpoint,
            state=pending.state,
            code_verifier=pending.verifier,
            redirect_uri=pending.redirect_uri,
            **more,
        )
        return cast("str", url)

    async def token(self, endpoint: str, pending: Pending, code: str, *, authentication: str) -> dict[str, Any]:
        """What the token endpoint gives for the code. `authentication` is one of its client authentication methods."""
        return await self._token(
            endpoint,
            authentication,
            {
                "grant_type": "authorization_code",
                "code": code,
                "code_verifier": pending.verifier,
                "redirect_uri": pending.redirect_uri,
            },
        )

    async def refreshed(self, endpoint: str, refresh_token: str, *, authentication: str) -> dict[str, Any]:
        """What the token endpoint gives for a refresh token. Raises ConnectionLost when it takes it no longer."""
        return await self._token(
            endpoint, authentication, {"grant_type": "refresh_token", "refresh_token": refresh_token}
        )

    async def document(self, url: str, *, bearer: str | None = None) -> Any:
        """A JSON document, read with an access token if one is given."""
        headers = {} if bearer is None else {"authorization": f"Bearer {bearer}"}
        client = await self._ready()
        async with self._asking(url):
            response = await client.request("GET", url, withhold_token=True, headers=headers)
            response.raise_for_status()
            return response.json()

    async def revoke(self, endpoint: str, token: str, *, hint: str, authentication: str) -> None:
        """Tell a revocation endpoint that a token is wanted no longer (RFC 7009). `hint` says which kind it is."""
        client = await self._ready()
        form = {"token": token, "token_type_hint": hint}
        async with self._asking("revocation"):
            response = await client.request(
                "POST", endpoint, withhold_token=True, data=form, auth=client.client_auth(authentication)
            )
            # A kind that it does not revoke; and some say so of a token that is over, which the RFC's are silent about.
            if response.status_code != HTTPStatus.BAD_REQUEST:
                response.raise_for_status()

    async def delete(self, url: str, body: dict[str, str]) -> None:
        """Delete something of ours at a provider's API, as the client that we are there; what is gone is as good."""
        client = await self._ready()
        registration = self._registration
        async with self._asking(url):
            response = await client.request(
                "DELETE", url, withhold_token=True, json=body, auth=(registration.client_id, registration.client_secret)
            )
            if response.status_code not in _GONE:
                response.raise_for_status()

    async def _token(self, endpoint: str, authentication: str, form: dict[str, str]) -> dict[str, Any]:
        client = await self._ready()
        async with self._asking("token"):
            try:
                found = await client.fetch_token(endpoint, auth=client.client_auth(authentication), **form)
            except extra(_OAUTH).OAuthError as error:
                self._refused(form["grant_type"], str(error.error))
            finally:
                client.token = None  # The client is everybody's; nobody's token stays in it.
        if not isinstance(found.get("access_token"), str):
            raise ProviderAnswerInvalid(internal=f"{self._provider}: the token endpoint gave no access token")
        return dict(found)

    async def _ready(self) -> Any:
        if not self._is_open:
            msg = f"the sign-in provider {self._provider} was not opened"
            raise RuntimeError(msg)
        async with self._loading:
            if self._client is None:
                # In a thread: modules and certificates are read from disk.
                self._client = await asyncio.to_thread(self._load)
        return self._client

    def _load(self) -> Any:
        return extra(_OAUTH).oauth_client(self._registration, scope=self._scope)

    def _refused(self, grant_type: str, error: str) -> NoReturn:
        internal = f"{self._provider}: the token endpoint answered {error[:100]}"
        if grant_type == "refresh_token" and error in _REFRESH_ERRORS:
            raise ConnectionLost(internal=internal)
        if error in _CODE_ERRORS:
            raise SignInExpired(internal=internal)
        raise ProviderRefused(internal=internal)

    @asynccontextmanager
    async def _asking(self, what: str) -> AsyncIterator[None]:
        refuse_while_open(f"{self._provider} was asked for {what}")
        try:
            # httpx limits each read; a host that drips one byte a second is stopped by this.
            async with asyncio.timeout(TIMEOUT_SECONDS):
                yield
        except (TimeoutError, httpx2.TransportError) as error:
            raise ProviderUnreachable(internal=f"{self._provider}: {what}: {type(error).__name__}") from error
        except httpx2.HTTPStatusError as error:
            status = error.response.status_code
            internal = f"{self._provider}: {what}: status {status}"
            if status >= 500 or status == 429:
                raise ProviderUnreachable(internal=internal) from error
            raise ProviderAnswerInvalid(internal=internal) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, *_UNREADABLE) as error:
            # What a provider sends may be anything: no JSON, another type, nested without end, a time without end.
            raise ProviderAnswerInvalid(internal=f"{self._provider}: {what}: {type(error).__name__}") from error
