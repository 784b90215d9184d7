"""Taking events in: verified, stored once, acknowledged. Nothing else happens in the provider's request."""

import asyncio
from collections.abc import Mapping

from tenantry.kernel import Context, new_id

from .errors import SecretUnset, TestModeRefused
from .providers import BillingProviders
from .queries import inbox
from .snapshots import Hint, ProviderName

KEPT_HEADERS = (
    "content-type", "stripe-signature", "webhook-id", "webhook-timestamp", "webhook-signature", "x-signature",
    "x-event-name", "x-fake-id", "x-fake-signature", "x-fake-timestamp",
)  # fmt: skip
"""What a replay needs to verify an event again, and no more of what a proxy adds."""
HEADER_CHARACTERS_MAX = 2000
EVENT_CHARACTERS_MAX = 200


class Bell:
    """`ctx.port(Bell)`: rung when an event was stored here, so that this process's worker need not wait its turn."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the worker."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Until it is rung, or so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()


async def receive(ctx: Context, provider_name: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Verify an event and store it; returns when it is committed, or was before. No unit is open.

    Raises what `BillingProvider.hint` raises, `SecretUnset` for a provider that is not configured, and
    `TestModeRefused` for the provider's test mode in production.
    """
    provider = ctx.port(BillingProviders).get(provider_name)
    if provider is None:
        raise SecretUnset
    hint = provider.hint(body, headers, now=ctx.clock.now())
    if not hint.is_live and ctx.settings.is_production:
        raise TestModeRefused
    kept = {name: headers[name][:HEADER_CHARACTERS_MAX] for name in KEPT_HEADERS if name in headers}
    await store(ctx, provider.name, hint, body=body, headers=kept)


async def store(
    ctx: Context, provider: ProviderName, hint: Hint, *, body: bytes | None, headers: Mapping[str, str]
) -> bool:
    """Store an event in one statement, and wake the worker; False when it was stored before. No unit is open.

    One that names no object of ours is kept as `ignored`.
    """
    concerns_us = hint.object_kind is not None and bool(hint.object_id)
    async with ctx.service(single=True) as working:
        is_new = await inbox.store(
            working.db,
            new_id(),
            provider=provider,
            dedupe_key=hint.dedupe_key,
            event=hint.event[:EVENT_CHARACTERS_MAX],
            object_kind=hint.object_kind,
            object_id=hint.object_id,
            occurred_at=hint.occurred_at,
            headers=dict(headers),
            body=body,
            status="received" if concerns_us else "ignored",
        )
    if is_new and concerns_us:
        ctx.port(Bell).ring()
    return is_new
