"""The API reference, the list of problems, and what robots and browsers ask for."""

import re

import pytest

from tenantry.kernel import Problem
from tenantry.kernel.problems import all_problems, problem_type
from tenantry.site.reference import Answer, Field, Group, groups_of


async def test_the_reference_has_every_operation_and_links_its_problems(coinlens, browse):
    client = await browse(coinlens)
    page = await client.get("/docs")
    for path, item in coinlens.app.openapi()["paths"].items():
        for method in item:
            assert f'<span class="method">{method.upper()}</span> <code>{path}</code>' in page.text
    assert 'href="/problems#usage.quota_exceeded"' in page.text
    anchors, links = set(re.findall(r'id="([^"]+)"', page.text)), set(re.findall(r'href="#([^"]+)"', page.text))
    assert links <= anchors


async def test_every_link_into_the_list_of_problems_leads_somewhere(coinlens, browse):
    client = await browse(coinlens)
    problems = await client.get("/problems")
    reference = await client.get("/docs")
    for problem in all_problems("tenantry"):
        assert f'id="{problem_type(problem.code).partition("#")[2]}"' in problems.text
        assert problem.title.replace("'", "&#39;") in problems.text
    linked = set(re.findall(r'href="/problems#([^"]+)"', reference.text))
    assert linked
    assert linked <= set(re.findall(r'id="([^"]+)"', problems.text))


class ShelfFull(Problem):
    """The shelf is full. Take a book away first."""

    code, status = "shelf.full", 409


async def test_the_problems_of_an_authors_module_are_listed_with_ours(coinlens, browse, words):
    page = await (await browse(coinlens)).get("/problems")
    assert re.search(r'<section[^>]* id="room-shelf".*?id="shelf\.full"', page.text, re.DOTALL)
    assert "The shelf is full. Take a book away first." in words(page)
    ids = re.findall(r'id="([^"]+)"', page.text)
    assert len(ids) == len(set(ids))


async def test_robots_keep_to_the_public_pages(coinlens):
    answer = await (await coinlens.client()).get("/robots.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Disallow: /dashboard" in answer.text
    assert "Disallow: /v1/" in answer.text


async def test_the_favicon_is_found_where_browsers_look(coinlens):
    client = await coinlens.client()
    sent = await client.get("/favicon.ico")
    assert sent.status_code == 302
    icon = await client.get(sent.headers["location"])
    assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")


DESCRIPTION = {
    "paths": {
        "/healthz": {"get": {"tags": ["health"], "responses": {"200": {}}}},
        "/v1/keys/{key_id}": {
            "patch": {
                "tags": ["keys"],
                "summary": "Change a key",
                "parameters": [
                    {"name": "key_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
                    {"name": "dry", "in": "query", "schema": {"type": "boolean", "default": False}},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Change"}}}},
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Change"}}}},
                    "404": {
                        "content": {"application/problem+json": {"examples": {"keys.gone": {"summary": "It is gone."}}}}
                    },
                },
            },
        },
    },
    "components": {
        "schemas": {
            "Change": {
                "required": ["label"],
                "properties": {
                    "label": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "Its name."},
                    "scopes": {"type": "array", "items": {"$ref": "#/components/schemas/Scope"}},
                },
            }
        }
    },
}


def test_an_openapi_document_is_read_as_plain_values():
    keys, health = groups_of(DESCRIPTION)
    assert health == Group("health", health.operations)  # what is for machines comes last
    (change,) = keys.operations
    members = (
        Field("label", "string or null", is_required=True, description="Its name."),
        Field("scopes", "list of Scope"),
    )
    assert (change.method, change.path, change.anchor) == ("PATCH", "/v1/keys/{key_id}", "patch-v1-keys-key-id")
    assert change.text == "Change a key"
    assert change.parameters == (
        Field("key_id", "uuid", place="path", is_required=True),
        Field("dry", "boolean", place="query", description="Default: False."),
    )
    assert change.body == members
    assert change.answers == (
        Answer(200, "OK", fields=members),
        Answer(404, "Not Found", problems=(("keys.gone", "It is gone."),)),
    )


@pytest.mark.parametrize("schema", [{}, {"paths": {}}])
def test_an_empty_description_has_no_groups(schema):
    assert groups_of(schema) == []
