"""`tenantry openapi`: the document, whatever the settings, without a database."""

import json


def test_prints_the_document_and_leaves_nothing_behind(product, tenantry, empty_folder):
    answer = tenantry(
        "openapi", TENANTRY_ENVIRONMENT="production", TENANTRY_DATABASE_URL="postgresql://a:b@127.0.0.1:9/c"
    )
    assert answer.status == 0
    document = json.loads(answer.out)
    assert document["info"]["title"] == "Acme"
    assert "/v1/me/usage" in document["paths"]
    assert {path.name for path in empty_folder.iterdir()} <= {"product.py", "__pycache__"}


def test_writes_a_file(product, tenantry, empty_folder):
    answer = tenantry("openapi", "--out", "api.json")
    assert (answer.status, answer.out) == (0, "")
    assert json.loads((empty_folder / "api.json").read_text()) == json.loads(tenantry("openapi").out)


def test_a_place_that_cannot_be_written_is_told(product, tenantry):
    answer = tenantry("openapi", "--out", "nowhere/api.json")
    assert answer.status == 1
    assert "--out" in answer.err
