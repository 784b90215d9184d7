"""`tenantry plans`: what an operator gives by hand."""

import json
import sqlite3
from contextlib import closing

import pytest

PERSON = "ada@example.com"


@pytest.fixture
def seeded(settings, tenantry):
    for command in (("db", "migrate"), ("seed", "screening_api")):
        assert tenantry(*command, **settings).status == 0
    return settings


@pytest.fixture
def grant(seeded, tenantry):
    def call(plan, *given, email=PERSON, reason="a promise"):
        return tenantry("plans", "grant", email, plan, "screening_api", "--reason", reason, *given, **seeded)

    return call


@pytest.fixture
def audited(seeded, fetch):
    def read():
        query = "SELECT action, actor_kind, reason FROM audit_log WHERE action = 'holder.plan_set' ORDER BY id"
        if "TENANTRY_OWNER_URL" in seeded:
            return fetch(seeded["TENANTRY_OWNER_URL"], query)
        with closing(sqlite3.connect(seeded["TENANTRY_DATABASE_URL"].removeprefix("sqlite:///"))) as connection:
            return connection.execute(query).fetchall()

    return read


def test_c_02_a_plan_is_given_by_hand_audited_and_taken_back(grant, audited):
    before = len(audited())
    was = json.loads(grant("free", "--json").out)["before"]
    given = grant("enterprise", "--json", reason="the first customer")
    assert given.status == 0, given.err
    told = json.loads(given.out)
    assert {name: told[name] for name in ("email", "granted", "before", "plan")} == {
        "email": PERSON, "granted": "enterprise", "before": "free", "plan": "enterprise",
    }  # fmt: skip
    assert grant("free", email=PERSON.upper()).out == f"{PERSON} is on free; it was enterprise.\n"
    assert grant(was).status == 0
    entries = audited()[before:]
    assert [entry[2] for entry in entries] == ["a promise", "the first customer", "a promise", "a promise"]
    assert {entry[:2] for entry in entries} == {("holder.plan_set", "system")}


def test_what_cannot_be_given_is_told_and_changes_nothing(grant, audited):
    before = audited()
    for given, sentence in [
        ({"plan": "gold"}, 'There is no plan "gold". Name one of free, standard, enterprise.'),
        ({"plan": "standard", "email": "nobody@example.com"}, "There is no such person here."),
        ({"plan": "standard", "reason": " "}, "The reason is empty."),
    ]:
        refused = grant(**given)
        assert refused.status == 1
        assert sentence in " ".join(refused.err.split())
    assert audited() == before


def test_a_reason_is_wanted(seeded, tenantry):
    refused = tenantry("plans", "grant", PERSON, "standard", "screening_api", **seeded)
    assert refused.status == 2
    assert "--reason" in refused.err
