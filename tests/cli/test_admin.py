"""T-07: `tenantry admin`: the first operator is made from the command line."""

import io
import sqlite3
from contextlib import closing

import pytest

PRODUCT = """\
from tenantry import {ways}, Meter, Plan, Product

requests = Meter("requests", per="day")
product = Product("Acme", sign_in=[{made}], plans=[Plan("free", price=0, limits={{requests: 5}})])
"""


@pytest.fixture
def written(product):
    def write(*ways):
        product.write_text(PRODUCT.format(ways=", ".join(ways), made=", ".join(f"{one}()" for one in ways)))

    return write


@pytest.fixture
def audited(settings, fetch):
    def read():
        query = "SELECT action, actor_kind, reason FROM audit_log WHERE action = 'user.role_set' ORDER BY id"
        if "TENANTRY_OWNER_URL" in settings:
            return fetch(settings["TENANTRY_OWNER_URL"], query)
        with closing(sqlite3.connect(settings["TENANTRY_DATABASE_URL"].removeprefix("sqlite:///"))) as connection:
            return connection.execute(query).fetchall()

    return read


def test_t_07_an_operator_is_made_listed_and_removed(settings, tenantry, written, audited, monkeypatch):
    written("Password")
    assert tenantry("db", "migrate", **settings).status == 0

    def call(*arguments, entered=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(entered))
        return tenantry("admin", *arguments, **settings)

    assert "Nobody is an operator yet" in call("list").out
    made = call(
        "create", "Ada@Example.com", "--name", "Ada", "--password-stdin", "--json", entered="a violin in Metz\n"
    )
    assert made.status == 0, made.err
    told = made.json
    assert {name: told[name] for name in ("is_new", "was", "role", "ways")} == {
        "is_new": True, "was": "USER", "role": "ADMIN", "ways": ["with their password"],
    }  # fmt: skip
    again = call("create", "ada@example.com")
    assert again.out.startswith(f"{told['email']} is an operator already.\nThey sign in at http")
    assert "Forgot your password?" in again.out
    assert call("create", "grace@example.com").out.startswith("grace@example.com is there, and an operator now.\n")
    listed = call("list", "--json").json["items"]
    assert [(one["email"], one["name"], one["banned"]) for one in listed] == [
        (told["email"], "Ada", False),
        ("grace@example.com", None, False),
    ]
    assert call("remove", "grace@example.com", "--reason", "left").out == (
        "grace@example.com is no operator any more.\n"
    )
    assert call("remove", "grace@example.com", "--json").json == {"email": "grace@example.com", "changed": False}
    for arguments, entered, sentence in [
        (("remove", "ada@example.com"), "", "This is the last operator."),
        (("remove", "nobody@example.com"), "", "There is no such person here."),
        (("create", "nobody"), "", "nobody is no e-mail address."),
        (("create", "eve@example.com", "--password-stdin"), "short\n", "Use at least 8 characters."),
    ]:
        refused = call(*arguments, entered=entered)
        assert refused.status == 1
        assert sentence in refused.err
    assert [tuple(entry) for entry in audited()] == [
        ("user.role_set", "system", "tenantry admin create"),
        ("user.role_set", "system", "tenantry admin create"),
        ("user.role_set", "system", "left"),
    ]


def test_t_07_the_answer_says_how_an_operator_comes_in(settings, tenantry, written):
    written("Google", "MagicLink", "Passkey")
    assert tenantry("db", "migrate", **settings).status == 0
    told = tenantry("admin", "create", "ada@example.com", "--json", **settings).json
    assert told["ways"] == ["with a link by mail", "with Google and the same address"]
    assert told["pages"].endswith("/admin")
    refused = tenantry("admin", "create", "ada@example.com", "--password-stdin", **settings)
    assert refused.status == 1
    assert "This product takes no passwords." in refused.err


def test_forget_factors_says_who_is_not_there_or_has_none(settings, tenantry, written):
    written("MagicLink")
    assert tenantry("db", "migrate", **settings).status == 0
    assert tenantry("admin", "create", "ada@example.com", **settings).status == 0
    for email, sentence in [
        ("nobody@example.com", "There is no such person here."),
        ("ada@example.com", "You have no such second factor"),
    ]:
        refused = tenantry("admin", "forget-factors", email, "--reason", "lost phone", **settings)
        assert refused.status == 1
        assert sentence in refused.err
