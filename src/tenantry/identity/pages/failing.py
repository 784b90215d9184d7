"""What went wrong, in words: as a page with ways out of it, or beside a field of the form that was sent."""

from urllib.parse import urlencode

from fastapi import Request, Response

from tenantry.kernel import Problem
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.kernel.logs import logger_of
from tenantry.kernel.negotiation import prefers_html
from tenantry.kernel.problem_handlers import problem_response
from tenantry.web import Formats, gettext, page, safe_return_path

_log = logger_of("tenantry.identity")


def told(request: Request, problem: Problem) -> str:
    """The problem's sentence in the reader's language; of too many attempts it says when the next one counts."""
    _ = gettext(request)
    wait = int(problem.headers.get("Retry-After", 0))
    if isinstance(problem, TooManyAttempts) and wait:
        when = Formats(_).wait(wait - 1)  # The header has a second to spare.
        return _("There were too many attempts in a short time. Try again %(when)s.", when=when)
    return _(problem.detail or problem.title)


def failed(request: Request, problem: Problem, return_to: str = "") -> Response:
    """The problem as a page with ways out of it, or as a document for who asks for one."""
    _log.info("sign_in.failed", code=problem.code, status=problem.status, internal=problem.internal)
    if not prefers_html(request.headers.get("accept", "")):
        return problem_response(problem, request.scope.get("state", {}).get("request_id"))
    back = safe_return_path(return_to)
    again = "/signin?" + urlencode({"return_to": back})
    # `here`: not the callback's address, with the code in it, which the forms of the frame would repeat.
    response = page(
        request,
        "identity/failed.html",
        status=problem.status,
        problem=problem,
        sentence=told(request, problem),
        back=back,
        again=again,
        here=again,
    )
    response.headers.update({**problem.headers, "Cache-Control": "no-store"})
    return response
