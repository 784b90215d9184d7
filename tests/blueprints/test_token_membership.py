"""The token membership declares what its document says, and what costs tokens is paid for with them."""

from dataclasses import asdict, replace
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest

from tenantry.blueprints import load, token_membership
from tenantry.blueprints.token_membership import svg_of
from tenantry.holders import by_user
from tenantry.holders.organizations import by_organization
from tenantry.product import GitHub, Google, MagicLink, Stripe
from tenantry.usage.credits import give

PRODUCT = token_membership.product
MARKS, WORDS = "/api/v1/marks", {"words": "Analytical Engine"}


def test_the_declaration():
    assert load("token_membership") is PRODUCT
    assert PRODUCT.check() == []
    assert PRODUCT.sign_in == (Google(), GitHub(), MagicLink())
    # The document: products of the provider are the single source of truth, and a user has many subscriptions.
    billing = PRODUCT.billing
    assert (billing.providers, billing.offers, billing.several) == ((Stripe(),), "products", True)
    assert [(plan.name, plan.prices) for plan in PRODUCT.plans if not plan.is_free] == [("premium", ())]
    assert (PRODUCT.billed, PRODUCT.credits.name) == ("user", "tokens")
    assert PRODUCT.organizations.seats in PRODUCT.plan("free").limits
    # Its `MembershipStatus`, and no other word.
    words = asdict(billing.words)
    assert set(words.values()) == {"ACTIVE", "INACTIVE", "CANCELED", "PAST_DUE"}
    assert (words["scheduled"], words["canceled"], words["paused"]) == ("CANCELED", "CANCELED", "INACTIVE")


def test_the_authors_own_code_is_small():
    lines = Path(token_membership.__file__).read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 120


def test_the_same_words_make_the_same_mark_and_it_is_well_formed():
    marks = [svg_of(words, 64) for words in ("Ada & <Grace>", "ada & <grace>", "Grace", "日本", "a", "b", "c")]
    assert (marks[0], len(set(marks))) == (marks[1], len(marks) - 1)
    for mark in marks:
        root = ET.fromstring(mark)
        assert (root.tag, root.get("width")) == ("{http://www.w3.org/2000/svg}svg", "64")
        assert root[0].get("d", "").startswith("M")


@pytest.mark.parametrize("billed", ["user", "organization"])
async def test_five_tokens_a_mark_of_whoever_is_billed_and_no_mark_without_them(billed, start):
    kit = await start(replace(PRODUCT, billed=billed))
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    assert (await (await kit.client()).post(MARKS, json=WORDS)).status_code == 401

    async def left(person):
        return (await person.get("/v1/credits")).json()["balance"]

    # Who signs up has two marks for nothing.
    assert [(await ada.post(MARKS, json=WORDS)).json()["tokens"] for _ in range(2)] == [5, 0]
    refused = await ada.post(MARKS, json=WORDS)
    why = refused.json()
    assert (refused.status_code, why["code"]) == (402, "usage.credits_insufficient")
    assert (why["needed"], why["available"], why["credits"]) == (5, 0, "tokens")
    assert why["buy_at"] == f"{kit.runtime.settings.public_url}/pricing"

    me = (await ada.get("/v1/me")).json()
    organization = me["organization_id"]
    if billed == "user":
        organization = (await ada.post("/v1/organizations", json={"name": "Analytical Engines"})).json()["id"]
    asked = await ada.post(f"/v1/organizations/{organization}/invitations", json={"email": "grace@example.com"})
    assert asked.status_code == 201, asked.text
    [waiting] = (await grace.get("/v1/invitations")).json()["items"]
    joined = await grace.post(f"/v1/invitations/{waiting['id']}/accept")
    assert joined.status_code == 200, joined.text
    assert (await grace.get("/v1/me")).json()["organization_id"] == organization

    # People have tokens of their own; an organization that holds the plan has them for all who belong to it.
    async with kit.system.service() as ctx:
        shared = await by_organization(ctx, UUID(organization))
        assert (shared is None) == (billed == "user")
        holder = shared or await by_user(ctx.db, UUID(me["id"]))
        await give(ctx, holder.id, 12, reason="test")
    assert (await left(ada), await left(grace)) == ((12, 10) if billed == "user" else (12, 12))
    drawn = await grace.post(MARKS, json=WORDS)
    assert (drawn.status_code, drawn.json()["svg"]) == (201, svg_of(WORDS["words"], 200))
    assert (await left(ada), await left(grace)) == ((12, 5) if billed == "user" else (7, 7))
