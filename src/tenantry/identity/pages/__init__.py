"""The pages of identity: signing in, and what follows."""

from . import sign_in

ROUTERS = [sign_in.router]
