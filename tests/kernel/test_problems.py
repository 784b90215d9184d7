from typing import Any

import pytest
from fastapi import FastAPI

from tenantry.kernel.problems import (
    DatabaseConflict,
    Forbidden,
    Internal,
    Invalid,
    Malformed,
    NotFound,
    Problem,
    Unauthenticated,
    all_problems,
    problems,
)


class Full(Problem):
    """The shelf is full.

    More for developers.
    """

    code, status = "shelf.full", 409


def test_the_first_paragraph_is_the_public_sentence() -> None:
    assert Full.title == "The shelf is full."


@pytest.mark.parametrize(
    "members",
    [
        {"code": "a.b", "__doc__": "X."},
        {"status": 400, "__doc__": "X."},
        {"code": "a.b", "status": 400},
        {"code": "ab", "status": 400, "__doc__": "X."},
        {"code": "A.b", "status": 400, "__doc__": "X."},
        {"code": "a.b", "status": 200, "__doc__": "X."},
        {"code": "a.b", "status": "400", "__doc__": "X."},
    ],
)
def test_a_forgotten_or_strange_attribute_is_refused_when_the_class_is_made(members: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="a problem has"):
        type("Forgetful", (Problem,), members)


def test_a_child_has_a_code_of_its_own_and_may_keep_the_status() -> None:
    class KeyNotFound(NotFound):
        """There is no such key."""

        code = "keys.not_found_here"

    assert KeyNotFound.status == 404
    with pytest.raises(TypeError, match="code of its own"):
        type("Copy", (NotFound,), {"__doc__": "X."})


def test_a_class_that_was_refused_is_not_among_the_problems() -> None:
    with pytest.raises(TypeError, match="status") as refusal:
        type("Half", (Problem,), {"__doc__": "X.", "code": "shelf.half"})
    # Python still lists it, as long as the traceback holds it.
    assert refusal.tb is not None
    assert "shelf.half" not in {problem.code for problem in all_problems()}


def test_an_abstract_parent_needs_nothing_and_is_never_raised() -> None:
    class Shelf(Problem, abstract=True):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Shelf()
    with pytest.raises(TypeError, match="abstract"):
        Problem("x")


def test_the_body_is_rfc_9457_and_tells_nothing_internal() -> None:
    problem = Full("Take a book out first.", internal="shelf 7 in room 3", limit=10)
    assert problem.body("r1") == {
        "type": "/problems#shelf.full",
        "title": "The shelf is full.",
        "status": 409,
        "detail": "Take a book out first.",
        "code": "shelf.full",
        "request_id": "r1",
        "limit": 10,
    }
    assert str(problem) == "shelf.full: shelf 7 in room 3"
    assert Full().body(None)["detail"] == "The shelf is full."


def test_extra_members_cannot_replace_the_own_ones() -> None:
    with pytest.raises(TypeError, match="request_id"):
        Full(request_id="x")


def test_headers_are_the_class_own_and_the_given() -> None:
    assert Unauthenticated().headers["WWW-Authenticate"] == "Bearer"
    assert DatabaseConflict(headers={"X-A": "b"}).headers == {"Retry-After": "1", "X-A": "b"}


def test_all_problems_lists_the_generic_ones_once() -> None:
    found = all_problems("tenantry")
    codes = [cls.code for cls in found]
    assert {NotFound, Forbidden, Malformed, Invalid, Internal} <= set(found)
    assert codes == sorted(set(codes))
    assert Full not in found
    assert Full in all_problems(__name__.partition(".")[0])
    assert {Full, NotFound} <= set(all_problems())


def test_problems_documents_every_class_and_merges_those_of_one_status() -> None:
    documented = problems(Full, NotFound, type("Gone", (NotFound,), {"code": "shelf.gone", "__doc__": "No shelf."}))
    assert list(documented) == [404, 409]
    content = documented[404]["content"]["application/problem+json"]
    assert set(content["examples"]) == {"request.not_found", "shelf.gone"}
    assert content["schema"]["properties"]["code"]["enum"] == ["request.not_found", "shelf.gone"]
    assert documented[404]["description"].endswith("No shelf.")
    assert content["examples"]["shelf.gone"]["value"]["status"] == 404


def test_openapi_takes_them_in_place_of_fastapis_own_422() -> None:
    app = FastAPI(responses=problems(Invalid))

    @app.get("/books")
    async def books(limit: int) -> int:
        return limit

    answers = app.openapi()["paths"]["/books"]["get"]["responses"]
    assert list(answers["422"]["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in str(app.openapi())
