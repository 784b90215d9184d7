"""What people are told about the accounts they sign in with."""

from tenantry.kernel import Context
from tenantry.web import Letter, Translator


def connected(ctx: Context, words: Translator, label: str) -> Letter:
    """An account of a provider was connected."""
    said = words(
        "From now on you can sign in to %(product)s with %(provider)s.", product=ctx.product.name, provider=label
    )
    return _told(ctx, words, words("%(provider)s was connected", provider=label), said)


def disconnected(ctx: Context, words: Translator, label: str) -> Letter:
    """An account of a provider was taken away."""
    said = words(
        "From now on nobody signs in to %(product)s as you with that account at %(provider)s.",
        product=ctx.product.name,
        provider=label,
    )
    return _told(ctx, words, words("%(provider)s was disconnected", provider=label), said)


def _told(ctx: Context, words: Translator, subject: str, said: str) -> Letter:
    return Letter(
        subject,
        [said],
        action=(words("Look at your settings"), f"{ctx.settings.public_url}/settings#accounts"),
        closing=[words("Was it not you? Then sign out everywhere else there, and change how you sign in.")],
    )
