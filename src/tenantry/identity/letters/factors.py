"""What people are told about their second factors."""

from tenantry.kernel import Context
from tenantry.web import Letter, Translator

from . import told

ABOUT = "second-factor"
"""The section of the settings that these letters speak of."""

FEW_CODES = 3
"""From so few left on, one is told to make new ones."""


def app_added(ctx: Context, words: Translator, *, is_new: bool) -> Letter:
    """An authenticator app was set up, or replaced."""
    name = ctx.product.name
    said = (
        words("From now on, signing in to %(product)s asks for a code of your authenticator app.", product=name)
        if is_new
        else words("From now on, the codes of your new authenticator app count, and the old app's do not.")
    )
    return told(ctx, words, ABOUT, words("An authenticator app was set up"), said)


def app_removed(ctx: Context, words: Translator, *, is_last: bool) -> Letter:
    """The authenticator app was removed."""
    name = ctx.product.name
    said = (
        words(
            "Signing in to %(product)s asks for no second proof any more. Your recovery codes are gone.", product=name
        )
        if is_last
        else words("Signing in to %(product)s asks for no codes of an app any more.", product=name)
    )
    return told(ctx, words, ABOUT, words("Your authenticator app was removed"), said)


def codes_replaced(ctx: Context, words: Translator) -> Letter:
    """There are new recovery codes."""
    said = words("The ones you had for %(product)s no longer work.", product=ctx.product.name)
    return told(ctx, words, ABOUT, words("New recovery codes were made"), said)


def code_used(ctx: Context, words: Translator, left: int) -> Letter:
    """A recovery code was used."""
    said = words("It stood in for your second factor at %(product)s.", product=ctx.product.name)
    rest = words.plural("%(num)d code is left.", "%(num)d codes are left.", left)
    more = [words("Make new ones in your settings before they are used up.")] if left <= FEW_CODES else []
    return told(ctx, words, ABOUT, words("A recovery code was used"), said, rest, *more)


def forgotten(ctx: Context, words: Translator) -> Letter:
    """The people who run the product have taken all second factors away."""
    name = ctx.product.name
    said = words(
        "The people who run %(product)s did that for who told them that they are lost. Signing in asks for no second "
        "proof any more, and every browser was signed out.",
        product=name,
    )
    return told(ctx, words, ABOUT, words("Your second factors were removed"), said)


def guessed(ctx: Context, words: Translator, origin: str) -> Letter:
    """Many wrong codes were entered, by somebody who got so far that they were asked for one."""
    name = ctx.product.name
    return Letter(
        words("Somebody is guessing your codes"),
        [
            words(
                "Somebody was asked for a code of your second factor at %(product)s, and entered wrong ones again and "
                "again: %(origin)s.",
                product=name,
                origin=origin,
            ),
            words(
                "To be asked for it, one needs your password, your mails or your account at a provider, or is signed "
                "in as you. Was it not you? Then choose another password, and sign out everywhere else in your "
                "settings."
            ),
            words(
                "Where that happened no more of these codes are taken for a while, at most until tomorrow. In a "
                "browser you were signed in with before, or with another second factor, you get in nevertheless."
            ),
        ],
        action=(words("Look at your settings"), f"{ctx.settings.public_url}/settings#{ABOUT}"),
        closing=[words("You hear of this once a day at most.")],
    )


def confirmation_code(ctx: Context, words: Translator, code: str) -> Letter:
    """The code by which somebody who is signed in confirms that it is them."""
    name = ctx.product.name
    return Letter(
        words("Your code to confirm that it is you"),
        [words("Enter it where %(product)s asked for it. It works once, for ten minutes.", product=name)],
        code=code,
        closing=[
            words(
                "Did you not ask for it? Then somebody is signed in as you. Tell nobody the code, and sign out "
                "everywhere else in your settings."
            )
        ],
    )
