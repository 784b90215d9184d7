"""`tenantry check`: everything at once, with a status and a form for scripts."""

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
