"""The JSON doors of identity: `/v1/me` for who is signed in, `/v1/auth` for who wants to be."""

from . import (
    accounts,
    address,
    confirm,
    factors,
    magic_link,
    me,
    passkey_proofs,
    passkeys,
    password,
    second_factor,
    sign_up,
    ways,
)

ROUTERS = [
    accounts.router,
    address.router,
    me.router,
    confirm.router,
    factors.router,
    second_factor.router,
    magic_link.router,
    passkeys.router,
    passkey_proofs.router,
    password.router,
    sign_up.router,
    ways.router,
]
