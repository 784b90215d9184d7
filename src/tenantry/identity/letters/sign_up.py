"""The mails of a sign-up: to prove a new address, and to who has an account already."""

from tenantry.web import Letter, Translator

from . import Key


def sign_up_letter(words: Translator, product: str, key: Key, *, origin: str) -> Letter:
    """To a new address. It repeats nothing that was typed: anybody may have asked for it."""
    return Letter(
        words("Confirm your address for %(product)s", product=product),
        [
            words("Somebody asked for an account with this address: %(origin)s.", origin=origin),
            words("Confirm that the address is yours, and the account is made."),
        ],
        action=(words("Make my account"), key.link),
        code=key.code,
        closing=[
            words("Both work once, for 24 hours. Tell nobody the code."),
            words("If it was not you, leave this mail. Without it there is no account."),
        ],
    )


def known_letter(words: Translator, product: str, *, sign_in: str, reset: str | None, origin: str) -> Letter:
    """To somebody who has an account: what to do instead."""
    paragraphs = [
        words("Somebody asked for an account with this address: %(origin)s.", origin=origin),
        words("You have one at %(product)s already, so nothing was changed. Sign in to it instead.", product=product),
    ]
    if reset:
        paragraphs.append(words("Have you forgotten your password? Choose a new one: %(address)s", address=reset))
    return Letter(
        words("You have an account at %(product)s", product=product),
        paragraphs,
        action=(words("Sign in"), sign_in),
        closing=[words("If it was not you, leave this mail. Nothing happens.")],
    )
