"""A sign-in that did not work out, as a page with ways out of it."""

from urllib.parse import urlencode

from fastapi import Request, Response

from tenantry.kernel import Problem
from tenantry.kernel.logs import logger_of
from tenantry.kernel.negotiation import prefers_html
from tenantry.kernel.problem_handlers import problem_response
from tenantry.web import page, safe_return_path

_log = logger_of("tenantry.identity")


def failed(request: Request, problem: Problem, return_to: str = "") -> Response:
    """The problem as a page with ways out of it, or as a document for who asks for one."""
    _log.info("sign_in.failed", code=problem.code, status=problem.status, internal=problem.internal)
    if not prefers_html(request.headers.get("accept", "")):
        return problem_response(problem, request.scope.get("state", {}).get("request_id"))
    again = "/signin?" + urlencode({"return_to": safe_return_path(return_to)})
    # `here`: not the callback's address, with the code in it, which the forms of the frame would repeat.
    response = page(request, "identity/failed.html", status=problem.status, problem=problem, again=again, here=again)
    response.headers.update({**problem.headers, "Cache-Control": "no-store"})
    return response
