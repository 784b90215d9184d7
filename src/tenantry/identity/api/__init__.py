"""The JSON doors of identity: `/v1/me` for who is signed in, `/v1/auth` for who wants to be."""

from . import me

ROUTERS = [me.router]
