"""A stranger on one of our pages is sent to sign in, a stranger on the API is told 401."""

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from tenantry.kernel.problems import Unauthenticated
from tenantry.web import Layout, create_templates, install, problem_page


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    templates = create_templates([], layout_of=lambda _request: Layout("Coinlens"))
    install(app, templates, public_origin="https://testserver")

    def refuse(request: Request):
        return problem_page(request, Unauthenticated().body(None))

    app.add_api_route("/keys", refuse, methods=["GET", "POST"], include_in_schema=False, response_model=None)
    app.add_api_route("/v1/keys", refuse, response_model=None)
    return TestClient(app, base_url="https://testserver", follow_redirects=False)


def test_303_to_sign_in_and_back(client):
    answer = client.get("/keys?state=active")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?return_to=/keys%3Fstate%3Dactive")


def test_what_a_form_was_sent_to_is_no_place_to_come_back_to(client):
    assert client.post("/keys").headers["location"] == "/signin?return_to=/dashboard"


def test_htmx_is_told_to_change_the_page(client):
    answer = client.get("/keys", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/signin?return_to=/keys")


def test_401_below_the_api(client):
    answer = client.get("/v1/keys")
    assert answer.status_code == 401
    assert "<h1>Please sign in</h1>" in answer.text
