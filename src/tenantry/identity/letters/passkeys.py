"""What people are told about their passkeys."""

from tenantry.kernel import Context
from tenantry.web import Letter, Translator

from . import told

ABOUT = "passkeys"
"""The section of the settings that these letters speak of."""


def added(ctx: Context, words: Translator, name: str) -> Letter:
    """A passkey was added."""
    said = words(
        "From now on you can sign in to %(product)s with “%(name)s”, and signing in another way asks for a passkey.",
        product=ctx.product.name,
        name=name,
    )
    return told(ctx, words, ABOUT, words("A passkey was added"), said)


def removed(ctx: Context, words: Translator, name: str) -> Letter:
    """A passkey was removed."""
    said = words(
        "From now on nobody signs in to %(product)s with the passkey “%(name)s”. Whoever had signed in with a "
        "passkey elsewhere was signed out.",
        product=ctx.product.name,
        name=name,
    )
    return told(ctx, words, ABOUT, words("A passkey was removed"), said)
