"""The pages of identity: signing in, what follows, and its sections of the settings."""

from . import (
    accounts,
    confirm,
    email,
    factors,
    impersonation,
    magic_link,
    passkey_proofs,
    passkeys,
    password,
    reset,
    second_factor,
    settings,
    sign_in,
    sign_up,
    verify,
)

ROUTERS = [
    magic_link.router,
    sign_up.router,
    accounts.router,
    email.router,
    passkey_proofs.router,
    passkeys.router,
    password.router,
    reset.router,
    sign_in.router,
    impersonation.router,
    verify.router,
    settings.router,
    confirm.router,
    factors.router,
    second_factor.router,
]
PANELS = [*factors.PANELS, *email.PANELS, *passkeys.PANELS, *password.PANELS, *settings.PANELS]

verify.FLOWS.update(email.FLOWS)
verify.FLOWS.update(magic_link.FLOWS)
verify.FLOWS.update(reset.FLOWS)
verify.FLOWS.update(sign_up.FLOWS)
