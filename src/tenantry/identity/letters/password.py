"""The mails about passwords: the one that lets a new one be chosen, and the ones that tell that it happened."""

from typing import Literal

from tenantry.kernel import Context
from tenantry.web import Letter, Translator

from . import Key

Change = Literal["set", "changed", "removed", "reset"]


def reset_letter(words: Translator, product: str, key: Key, *, origin: str, is_unproven: bool) -> Letter:
    """To who has an account. It repeats nothing that was typed: anybody may have asked for it."""
    why = words("Somebody asked to choose a new password for your account: %(origin)s.", origin=origin)
    if is_unproven:
        why = words("This address was never confirmed. Choose a new password to confirm it: %(origin)s.", origin=origin)
    return Letter(
        words("Choose a new password for %(product)s", product=product),
        [why],
        action=(words("Choose a new password"), key.link),
        code=key.code,
        closing=[
            words("Both work once, for an hour. Tell nobody the code: whoever has it can change your password."),
            words("If it was not you, leave this mail. Your account stays as it is."),
        ],
    )


def changed_letter(ctx: Context, words: Translator, change: Change) -> Letter:
    """To the owner, once it has happened."""
    name = ctx.product.name
    subject, said = {
        "set": (
            words("A password was set"),
            words("From now on you can sign in to %(product)s with a password.", product=name),
        ),
        "changed": (
            words("Your password was changed"),
            words("The one you had for %(product)s does not work any more.", product=name),
        ),
        "removed": (
            words("Your password was removed"),
            words("From now on nobody signs in to %(product)s as you with a password.", product=name),
        ),
        "reset": (
            words("Your password was changed"),
            words("It was chosen anew with a mail to this address. You were signed out of %(product)s.", product=name),
        ),
    }[change]
    rest = words("Every other browser was signed out.")
    return Letter(
        subject,
        [said] if change == "reset" else [said, rest],
        action=(words("Choose another password"), f"{ctx.settings.public_url}/auth/reset"),
        closing=[words("Was it not you? Then choose another password at once.")],
    )
