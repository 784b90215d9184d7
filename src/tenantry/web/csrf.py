"""Refusing requests that another site made the browser send, and return addresses that lead elsewhere.

No token in forms: browsers say themselves where a request comes from. `Sec-Fetch-Site` cannot be set by a page;
`Origin` is the fallback where it is missing (plain HTTP beyond localhost, old browsers).
"""

import re
from collections.abc import Sequence

from starlette.requests import Request

from tenantry.kernel.problems import Problem

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
_RETURN_PATH = re.compile(r"/(?![/\\]|%2f|%5c)[\w\-.+/@]*(?:\?[\w\-.+/=&%@]*)?", re.ASCII | re.IGNORECASE)
_DOT_SEGMENT = re.compile(r"/\.{1,2}(?=/|$)")
_ENCODED_CONTROL = re.compile(r"%(?:[01][0-9a-f]|7f)|%(?![0-9a-f]{2})", re.IGNORECASE)
_RETURN_PATH_LENGTH_MAX = 512


class CrossSiteRefused(Problem):
    """This request did not come from our own pages. Open the page again and repeat what you did there."""

    code = "web.cross_site"
    status = 403


def refuse_cross_site(request: Request, *, public_origin: str, allowed_origins: Sequence[str] = ()) -> None:
    """Let a changing request pass only if our own pages, or a listed origin, sent it. Raises `CrossSiteRefused`.

    Looks at headers only. Concerned are unsafe methods that carry a cookie or the body of an HTML form. They pass when

    - `Origin` is exactly one of `allowed_origins` (never a pattern, never `null`), or
    - `Sec-Fetch-Site` is `same-origin` or `none`, or
    - `Sec-Fetch-Site` is missing and `Origin` is exactly `public_origin`, or
    - both are missing and so is a cookie: not a browser (a script that posts a form with an API key).
    """
    if request.method in _SAFE_METHODS:
        return
    has_cookie = "cookie" in request.headers
    if not has_cookie and not _is_form(request):
        return
    origins = request.headers.getlist("origin")
    sites = request.headers.getlist("sec-fetch-site")
    if len(origins) > 1 or len(sites) > 1 or origins == ["null"]:
        raise CrossSiteRefused(detail=None)
    if origins and origins[0] in allowed_origins:
        return
    if sites:
        passes = sites[0] in {"same-origin", "none"}
    elif origins:
        passes = origins[0] == public_origin
    else:
        passes = not has_cookie
    if not passes:
        raise CrossSiteRefused(detail=None)


def safe_return_path(value: str | None, default: str = "/dashboard") -> str:
    r"""The path to go back to, if it is a plain path on this site, else `default`.

    Refused: other sites, `//` and `/\`, encoded slashes, dot segments, control characters, fragments, anything
    outside a small alphabet, and more than 512 characters. Check a stored path again when it is used.
    """
    if not value or len(value) > _RETURN_PATH_LENGTH_MAX or _RETURN_PATH.fullmatch(value) is None:
        return default
    path, _, query = value.partition("?")
    if "//" in path or _DOT_SEGMENT.search(path) or _ENCODED_CONTROL.search(query):
        return default
    return value


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() in _FORM_TYPES
