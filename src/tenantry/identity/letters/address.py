"""The mails of a change of address: to the new one, to the old one, and to whoever has the new one already."""

from tenantry.kernel import Context
from tenantry.web import Letter, Translator


def confirm_letter(ctx: Context, words: Translator, *, link: str) -> Letter:
    """To the new address. It says nothing about the account: whoever mistypes writes to a stranger."""
    return Letter(
        words("Confirm your new e-mail address"),
        [
            words(
                "Somebody asked to use this address for their account at %(product)s. If that was you, confirm that "
                "the address is yours.",
                product=ctx.product.name,
            )
        ],
        action=(words("Confirm this address"), link),
        closing=[words("The link works for 24 hours. If it was not you, leave it: without it nothing changes.")],
    )


def approve_letter(ctx: Context, words: Translator, *, address: str, link: str) -> Letter:
    """To the old address, which may also say no."""
    return Letter(
        words("Approve your new e-mail address"),
        [
            words(
                "Somebody who is signed in as you asked to change the e-mail address of your account at %(product)s "
                "to %(address)s.",
                product=ctx.product.name,
                address=address,
            ),
            words("It changes when you have approved it here and the new address has confirmed."),
        ],
        action=(words("Approve or cancel"), link),
        closing=[
            words(
                "The link works for 24 hours. If it was not you, open it and cancel: then whoever it was is signed out."
            )
        ],
    )


def taken_letter(ctx: Context, words: Translator) -> Letter:
    """To the new address, when it is another account's: its owner is told, who asked is not."""
    return Letter(
        words("Somebody asked for your e-mail address"),
        [
            words(
                "Somebody asked to use this address for their account at %(product)s. It belongs to your account, so "
                "nothing changes.",
                product=ctx.product.name,
            )
        ],
        closing=[words("If it was you, sign in to that account instead. Else you need not do anything.")],
    )


def changed_letter(ctx: Context, words: Translator, *, address: str) -> Letter:
    """To the old address, once it has happened."""
    return Letter(
        words("Your e-mail address was changed"),
        [
            words(
                "Your account at %(product)s has the address %(address)s now. This one does not open it any more.",
                product=ctx.product.name,
                address=address,
            )
        ],
        closing=[words("If it was not you, tell us at once.")],
    )
