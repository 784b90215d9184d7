"""What people are told about their second factors."""

from tenantry.kernel import Context
from tenantry.web import Letter, Translator

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
    return _told(ctx, words, words("An authenticator app was set up"), said)


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
    return _told(ctx, words, words("Your authenticator app was removed"), said)


def codes_replaced(ctx: Context, words: Translator) -> Letter:
    """There are new recovery codes."""
    said = words("The ones you had for %(product)s no longer work.", product=ctx.product.name)
    return _told(ctx, words, words("New recovery codes were made"), said)


def code_used(ctx: Context, words: Translator, left: int) -> Letter:
    """A recovery code was used."""
    said = words("It stood in for your second factor at %(product)s.", product=ctx.product.name)
    rest = words.plural("%(num)d code is left.", "%(num)d codes are left.", left)
    more = [words("Make new ones in your settings before they are used up.")] if left <= FEW_CODES else []
    return _told(ctx, words, words("A recovery code was used"), said, rest, *more)


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


def _told(ctx: Context, words: Translator, subject: str, *said: str) -> Letter:
    return Letter(
        subject,
        said,
        action=(words("Look at your settings"), f"{ctx.settings.public_url}/settings#second-factor"),
        closing=[words("Was it not you? Then sign out everywhere else there, and change how you sign in.")],
    )
