"""Telling buyers what has become of their subscription: in the transaction that writes it down, so once."""

from collections.abc import Mapping
from datetime import timedelta

from tenantry.kernel import Context
from tenantry.kernel.context import Handler
from tenantry.kernel.mail import send_mail
from tenantry.web import Letter, Letters, Translator

from .events import SubscriptionCancelled, SubscriptionEnded, SubscriptionPastDue, TrialEnding
from .letters import cancelled_letter, ended_letter, past_due_letter, trial_letter
from .queries import payments, telling
from .queries.telling import Told


async def tell_past_due(ctx: Context, event: SubscriptionPastDue) -> None:
    """A payment failed: announced once for a period, however many times the card is tried."""
    for told in await telling.told(ctx.db, event.subscription_id):
        await _send(ctx, told, past_due_letter(ctx, Translator(), told, event.until))


async def tell_trial_ending(ctx: Context, event: TrialEnding) -> None:
    """A trial ends. One that was cancelled ends without a payment, and its holder knows.

    Two reminders that fall due together are one mail.
    """
    readers = await telling.told(ctx.db, event.subscription_id)
    if not readers or readers[0].cancel_at is not None or event.ends_at <= readers[0].at:
        return
    days = -((readers[0].at - event.ends_at) // timedelta(days=1))
    fact = f"mail.trial_ending:{event.subscription_id}:{event.ends_at.isoformat()}:{days}"
    if await payments.add_fact(ctx.db, fact, event.holder_id):
        for told in readers:
            await _send(ctx, told, trial_letter(ctx, Translator(), told, event.ends_at))


async def tell_cancelled(ctx: Context, event: SubscriptionCancelled) -> None:
    """It will not be renewed."""
    for told in await telling.told(ctx.db, event.subscription_id):
        await _send(ctx, told, cancelled_letter(ctx, Translator(), told, event.ends_at))


async def tell_ended(ctx: Context, event: SubscriptionEnded) -> None:
    """It is over. One whose first payment never came is not spoken of."""
    for told in await telling.told(ctx.db, event.subscription_id):
        if told.was_started:
            await _send(ctx, told, ended_letter(ctx, Translator(), told))


async def _send(ctx: Context, told: Told, letter: Letter) -> None:
    # English: nobody's language is kept, and this may be anybody's request.
    text, html = ctx.port(Letters).render(letter, Translator())
    await send_mail(ctx, told.address, letter.subject, text=text, html=html)


HANDLERS: Mapping[type, Handler] = {
    SubscriptionPastDue: tell_past_due,
    TrialEnding: tell_trial_ending,
    SubscriptionCancelled: tell_cancelled,
    SubscriptionEnded: tell_ended,
}
