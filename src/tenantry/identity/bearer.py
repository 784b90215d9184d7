"""`Authorization: Bearer`: how programs without cookies say who they are (RFC 6750, 2.1).

A session's token is one by its form, `sess_...`; other prefixes belong to other rooms. Whoever sends a bearer is judged
by it alone: a wrong one is not made good by a cookie beside it.
"""

from starlette.requests import Request

from tenantry.kernel import Settings

from .cookies import is_session_token, session_token_in

_SCHEME = b"bearer"


def bearer_of(request: Request) -> str | None:
    """What follows `Bearer`; "" when there is nothing fit to be looked at, or two; None when none was sent.

    Another scheme, such as the Basic of a server in front of us, is no bearer.
    """
    return _bearer([value for name, value in request.scope["headers"] if name == b"authorization"])


def _bearer(given: list[bytes]) -> str | None:
    if not given:
        return None
    given = [value.strip() for value in given]
    parts = [value.split(None, 1) for value in given if value[:6].lower() == _SCHEME and not value[6:7].strip()]
    if not parts:
        return None
    if len(given) > 1 or len(parts[0]) < 2:
        return ""
    token: str = parts[0][1].decode("latin-1")
    return token


def presented_token(request: Request, settings: Settings) -> tuple[str | None, bool]:
    """The session's token that counts in this request, and whether a cookie brought it: the bearer where one was sent.

    The token is None when there is none of the right form.
    """
    # Every request comes by here, and most bring many headers: one walk through them, and only for these two.
    cookies: list[bytes] = []
    authorizations: list[bytes] = []
    for name, value in request.scope["headers"]:
        if name == b"cookie":
            cookies.append(value)
        elif name == b"authorization":
            authorizations.append(value)
    bearer = _bearer(authorizations) if authorizations else None
    if bearer is None:
        return session_token_in(cookies, settings), True
    return bearer if is_session_token(bearer) else None, False
