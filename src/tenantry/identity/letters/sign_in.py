"""The mail that signs somebody in."""

from tenantry.web import Letter, Translator

from . import Key


def sign_in_letter(words: Translator, product: str, key: Key, *, origin: str, is_new: bool) -> Letter:
    """To whoever has the address. It repeats nothing that was typed: anybody may have asked for it."""
    new = [words("There is no account with this address yet. It is made when you sign in.")] if is_new else []
    return Letter(
        words("Sign in to %(product)s", product=product),
        [words("Somebody asked to sign in with this address: %(origin)s.", origin=origin), *new],
        action=(words("Sign in"), key.link),
        code=key.code,
        closing=[
            words("Both work once, for 15 minutes. Tell nobody the code: whoever has it can sign in as you."),
            words("If it was not you, leave this mail. Without it nobody gets in."),
        ],
    )
