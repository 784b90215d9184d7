"""`tenantry check`: everything at once, with a status and a form for scripts."""

from pathlib import Path

import pytest

BROKEN = """\
from tenantry import Google, Meter, Plan, Product
requests = Meter("requests", per="week")
product = Product(
    "Acme", sign_in=[Google()], plans=[Plan("free", price=0, limits={requests: -1}), Plan("free", price=0)]
)
"""


def test_a_product_in_order_is_status_0(product, tenantry):
    answer = tenantry("check")
    assert answer.status == 0
    assert "no errors" in answer.out


def test_every_error_of_product_and_settings_is_told_at_once(empty_folder, tenantry):
    (empty_folder / "product.py").write_text(BROKEN)
    answer = tenantry("check", "--json", TENANTRY_PORT="eighty", TENANTRY_PROT="1")
    assert answer.status == 1
    where = {one["where"] for one in answer.json["findings"]}
    assert {"TENANTRY_PORT", "TENANTRY_PROT"} < where
    assert len([name for name in where if name.startswith("plans")]) >= 2
    plain = tenantry("check", TENANTRY_PORT="eighty")
    assert plain.status == 1
    assert "TENANTRY_PORT" in plain.err
    assert "plans[" in plain.err


def test_the_answer_for_scripts(product, tenantry):
    answer = tenantry("check", "--json").json
    assert answer["ok"] is True
    assert answer["product"] == "Acme"
    assert {tuple(one) for one in answer["findings"]} == {("level", "where", "problem", "fix")}


def test_production_refuses_what_is_unsafe(product, tenantry):
    answer = tenantry("check", "--json", TENANTRY_ENVIRONMENT="production").json
    assert answer["ok"] is False
    assert {"TENANTRY_SECRET_KEYS", "TENANTRY_PUBLIC_URL"} < {one["where"] for one in answer["findings"]}


@pytest.mark.parametrize(
    ("source", "told"),
    [("product = (", "product.py:1"), ("import nothing_like_it", "product.py:1"), ("x = 1", "declares no Product")],
)
def test_a_file_that_cannot_be_read_is_told_with_its_line(source, told, empty_folder, tenantry):
    (empty_folder / "product.py").write_text(source)
    answer = tenantry("check")
    assert answer.status == 1
    assert told in answer.err
    assert "Traceback" not in answer.err


def test_nothing_named_and_nothing_there(tenantry):
    answer = tenantry("check")
    assert answer.status == 1
    assert "tenantry new" in answer.err
    assert tenantry("check", "crypto_dat").err.count("crypto_data") == 1
    assert tenantry("check", "crypto_data").status == 0


def test_the_file_of_settings_is_read_under_the_environment(product, empty_folder, tenantry):
    (empty_folder / ".env").write_text("# a comment\nexport TENANTRY_PORT=eighty # no\n\nTENANTRY_HOST='::1'\n")
    assert "'eighty' cannot be used" in tenantry("check").err
    assert tenantry("check", TENANTRY_PORT="80").status == 0


def test_a_line_that_is_no_setting_is_told_without_what_it_says(product, empty_folder, tenantry):
    (empty_folder / ".env").write_text("TENANTRY_PORT=80\nhunter2 is my password\n")
    answer = tenantry("check")
    assert answer.status == 1
    assert ".env:2" in answer.err
    assert "hunter2" not in answer.err


def test_no_secret_is_shown(product, tenantry):
    answer = tenantry("check", TENANTRY_DATABASE_URL="postgresql://ada:hunter2@/", TENANTRY_SECRET_KEYS="hunter3")
    assert answer.status == 1
    assert "hunter" not in answer.err + answer.out


RETIRED = """\
from tenantry import Google, Meter, Plan, Product
requests = Meter("requests", per="day")
gold = Plan("gold", price=900, limits={requests: 50})
product = Product("Acme", sign_in=[Google()], plans=[Plan("free", price=0, limits={requests: 5}), gold])
"""


def stored_plans(answer):
    """What is said of the database, and the findings about stored plans."""
    told = [one["problem"] for one in answer.json["findings"] if one["where"] == "database.plans"]
    return answer.json["stored_plans"], told


def test_a_stored_plan_that_is_not_declared_is_found_where_a_database_is(settings, empty_folder, tenantry):
    path = empty_folder / "product.py"
    path.write_text(RETIRED)
    assert tenantry("db", "migrate", **settings).status == 0
    assert tenantry("seed", **settings).status == 0
    compared = {"compared": True, "skipped": None}
    assert stored_plans(tenantry("check", "--json", **settings)) == (compared, [])
    assert "not compared" not in tenantry("check", **settings).out

    path.write_text(RETIRED.replace('"gold"', '"silver"'))
    answer = tenantry("check", "--json", **settings)
    # The server starts all the same, so it is no error.
    assert (answer.status, answer.json["ok"]) == (0, True)
    problem = 'The stored plan "gold" is not declared; 1 holder is on it and has the limits of "free".'
    assert stored_plans(answer) == (compared, [problem])
    assert problem in tenantry("check", **settings).err

    path.write_text(RETIRED.replace("limits={requests: 50}", "limits={requests: 50}, is_active=False"))
    assert stored_plans(tenantry("check", "--json", **settings)) == (compared, [])


def test_without_a_schema_stored_plans_are_not_compared(product, settings, tenantry):
    answer = tenantry("check", **settings)
    assert (answer.status, "Stored plans were not compared" in answer.out) == (0, True)
    assert "tenantry doctor" in answer.out
    said, told = stored_plans(tenantry("check", "--json", **settings))
    assert (said["compared"], told) == (False, [])


@pytest.mark.parametrize(
    "address", ["postgresql://ada:hunter2@127.0.0.1:9/shop", "sqlite:///product.py", "sqlite:///none/test.db"]
)
def test_without_a_database_that_answers_nothing_is_wrong(address, product, tenantry):
    service = {"TENANTRY_SERVICE_URL": address.replace("ada", "service")} if address.startswith("post") else {}
    answer = tenantry("check", "--json", TENANTRY_DATABASE_URL=address, **service)
    assert answer.status == 0
    said, told = stored_plans(answer)
    assert (said["compared"], bool(said["skipped"]), told) == (False, True, [])
    assert "hunter2" not in answer.out + answer.err
    assert not Path("none").exists()
