"""What people are told about the accounts they sign in with."""

from tenantry.kernel import Context
from tenantry.web import Letter, Translator

from . import told

ABOUT = "accounts"
"""The section of the settings that these letters speak of."""


def connected(ctx: Context, words: Translator, label: str) -> Letter:
    """An account of a provider was connected."""
    said = words(
        "From now on you can sign in to %(product)s with %(provider)s.", product=ctx.product.name, provider=label
    )
    return told(ctx, words, ABOUT, words("%(provider)s was connected", provider=label), said)


def disconnected(ctx: Context, words: Translator, label: str) -> Letter:
    """An account of a provider was taken away."""
    said = words(
        "From now on nobody signs in to %(product)s as you with that account at %(provider)s.",
        product=ctx.product.name,
        provider=label,
    )
    return told(ctx, words, ABOUT, words("%(provider)s was disconnected", provider=label), said)
