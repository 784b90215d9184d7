"""The screening API declares what its document says, and screens for real."""

from pathlib import Path

import pytest

from tenantry.blueprints import ProductNotLoaded, load, screening_api
from tenantry.blueprints.loading import EXTRAS
from tenantry.product import Count, Google, MagicLink, Meter, Stripe

SCREENINGS, KEYS = Meter("screenings", per="day"), Count("keys")
# Sent, the entry that is meant, from which score on.
MEANT = [
    ("Viktor Morozov Kern", "WL-1001", 95),
    ("виктор морозов", "WL-1001", 90),
    ("MOROZOV, VIKTOR", "WL-1001", 90),
    ("陈文强", "WL-1003", 100),
    ("Chen Wen Qiang", "WL-1003", 85),
    ("Kostas Papadrakis", "WL-1004", 90),
    ("백서지환", "WL-1006", 100),
    ("Rodrigo Nunez", "WL-1007", 100),
    ("Jurgen Weissmuller", "WL-1008", 90),
    ("Khiem Nguyễn", "WL-1014", 100),
    ("סמואל בן-ארי קצב", "WL-1015", 82),
    ("Black Heron Shipping Ltd", "WL-2001", 95),
    ("Северный Мост Банк", "WL-2002", 100),
]
NOBODY = ["John Smith", "Ali", "Chen Li", "Victor Hugo", "Maria Papadopoulou", "Deutsche Bank", "Golden Gate"]


@pytest.fixture
async def kit(start):
    return await start(load("screening_api"))


@pytest.fixture
async def program(kit):
    ada = await kit.sign_in("ada")
    made = (await ada.post("/v1/keys", json={"label": "onboarding"})).json()
    return await kit.client(Authorization=f"Bearer {made['secret']}")


def test_the_declaration():
    product = load("screening_api")
    assert product.check() == []
    assert product.sign_in == (Google(), MagicLink())
    assert [plan.name for plan in product.plans] == ["free", "standard", "enterprise"]
    assert (product.billing.providers, product.billing.several) == ((Stripe(),), False)
    assert [plan.priced.amount > 0 for plan in product.plans] == [False, True, True]
    assert all({SCREENINGS, KEYS} <= plan.limits.keys() for plan in product.plans)
    assert (product.keys.meter, product.keys.count, product.keys.log_bodies) == (SCREENINGS, KEYS, False)
    assert [product.trials.plan_of(tier) for tier in ("standard", "enterprise")] == ["standard", "enterprise"]


def test_the_authors_own_code_is_small():
    lines = Path(screening_api.__file__).read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 120


async def test_a_screening_is_counted_scored_and_explained(program):
    answer = await program.post("/api/v1/screen", json={"name": "Chen Wenqiang"})
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (200, "99")
    answer = await program.post("/api/v1/screen", json={"name": "Nguyen Thi Khiem", "limit": 1})
    found = answer.json()
    assert found["compared"] == "nguyen thi khiem"
    [match] = found["matches"]
    assert (match["entry"]["id"], match["entry"]["program"]) == ("WL-1014", "TRAFFICKING")
    assert match["reasons"] == [
        {"word": "nguyen", "listed": "nguyen", "score": 100},
        {"word": "thi", "listed": None, "score": 0},
        {"word": "khiem", "listed": "khiem", "score": 100},
    ]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_who_is_meant_is_found_in_any_script_and_nobody_else(program):
    for name, entry, least in MEANT:
        first = (await program.post("/api/v1/screen", json={"name": name})).json()["matches"][0]
        assert (first["entry"]["id"], first["score"] >= least) == (entry, True), (name, first)
    for name in NOBODY:
        assert (await program.post("/api/v1/screen", json={"name": name})).json()["matches"] == [], name


@pytest.mark.parametrize("name", ["", "   ", "!?", "—", "x" * 201])
async def test_a_name_without_letters_is_refused_by_name(program, name):
    refused = await program.post("/api/v1/screen", json={"name": name})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "body.name")


async def test_the_list_itself_needs_a_scope(kit, program):
    refused = await program.get("/api/v1/watch-list")
    assert (refused.status_code, refused.json()["code"]) == (403, "keys.scope_missing")
    ada = await kit.sign_in("ada")
    made = (await ada.post("/v1/keys", json={"label": "sync", "scopes": ["list:read"]})).json()
    listed = await program.get("/api/v1/watch-list", headers={"Authorization": f"Bearer {made['secret']}"})
    assert len(listed.json()) == len({entry["id"] for entry in listed.json()}) == 26


def test_what_must_be_installed_beside_it_is_named(tmp_path):
    assert set(EXTRAS) == {"screening_api"}
    with pytest.raises(ProductNotLoaded, match="There is no such blueprint"):
        load("screening")
