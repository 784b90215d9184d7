"""What people are told about their passkeys."""

from tenantry.kernel import Context
from tenantry.web import Letter, Translator


def added(ctx: Context, words: Translator, name: str) -> Letter:
    """A passkey was added."""
    said = words(
        "From now on you can sign in to %(product)s with “%(name)s”, and signing in another way asks for a passkey.",
        product=ctx.product.name,
        name=name,
    )
    return _told(ctx, words, words("A passkey was added"), said)


def removed(ctx: Context, words: Translator, name: str) -> Letter:
    """A passkey was removed."""
    said = words(
        "From now on nobody signs in to %(product)s with the passkey “%(name)s”. Whoever had signed in with a "
        "passkey elsewhere was signed out.",
        product=ctx.product.name,
        name=name,
    )
    return _told(ctx, words, words("A passkey was removed"), said)


def _told(ctx: Context, words: Translator, subject: str, said: str) -> Letter:
    return Letter(
        subject,
        [said],
        action=(words("Look at your settings"), f"{ctx.settings.public_url}/settings#passkeys"),
        closing=[words("Was it not you? Then sign out everywhere else there, and change how you sign in.")],
    )
