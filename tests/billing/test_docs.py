"""The code in `docs/billing.md` runs, as it stands there."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tenantry.billing.worker import drain
from tenantry.testing.standins import start_billing

PAGE = Path(__file__).parents[2] / "docs" / "billing.md"


@dataclass
class Parcels:
    """What the page calls `parcels`: the author's rows."""

    sent: list[Any] = field(default_factory=list)
    stopped: list[Any] = field(default_factory=list)

    async def send(self, _ctx: Any, holder: Any, payment: Any) -> None:
        self.sent.append((holder, payment))

    async def stop(self, _ctx: Any, holder: Any) -> None:
        self.stopped.append(holder)


@pytest.fixture
def page():
    """What the page declares, and its products: the first one, the one that reacts, the one with words of its own."""
    names: dict[str, Any] = {"parcels": Parcels(), "products": []}
    for block in PAGE.read_text(encoding="utf-8").split("```python\n")[1:]:
        text = block.partition("```")[0]
        exec(compile(text, PAGE.name, "exec"), names)
        if "product = " in text:
            names["products"].append(names["product"])
    return names


@pytest.fixture
async def open_shop(start, clock, page):
    """What starts one of the page's products beside the provider that stands in."""
    opened = []

    async def begin(product):
        page["shop"] = start_billing(product, now=clock.now)
        opened.append(page["shop"])
        return await start(product, clock=clock, demo_billing=page["shop"].url)

    yield begin
    for shop in opened:
        shop.stop()


async def carry(kit, shop):
    """Carry what was told, twice."""
    client = await kit.client()
    for one in shop.take() * 2:
        assert (await client.post("/webhooks/fake", content=one.body, headers=one.headers)).status_code == 204
    while await drain(kit.runtime):
        pass


async def plan_of(person):
    return (await person.get("/v1/me")).json()["plan"]["name"]


def test_the_declarations_are_good(page):
    assert [product.check() for product in page["products"]] == [[], [], []]
    pro = page["plans"][1]
    assert [pro.lookup_of(one) for one in pro.prices] == ["pro_month", "pro_year"]


async def test_both_prices_are_sold_with_the_trial(page, open_shop):
    kit = await open_shop(page["products"][0])
    ada = await kit.sign_in("ada")
    for interval in ("month", "year"):
        opened = await ada.post("/v1/checkout", json={"plan": "pro", "interval": interval})
        assert opened.status_code == 201, opened.text
    page["buy"](opened.json()["url"])
    await carry(kit, page["shop"])
    shown = (await ada.get("/v1/subscription")).json()["subscription"]
    assert (shown["status"], shown["items"][0]["lookup"], await plan_of(ada)) == ("trialing", "pro_year", "pro")


async def test_what_reacts_does_so_once_for_each_fact(page, open_shop):
    kit = await open_shop(page["products"][1])
    ada, parcels = await kit.sign_in("ada"), page["parcels"]
    bought = page["buy"]((await ada.post("/v1/checkout", json={"plan": "pro"})).json()["url"])
    await carry(kit, page["shop"])
    assert (parcels.sent, parcels.stopped) == ([], [])
    page["shop"].let_pass(bought)
    await carry(kit, page["shop"])
    assert len(parcels.sent) == 1
    assert (await ada.post("/v1/subscription/cancel", json={"at_once": True})).status_code == 200
    await carry(kit, page["shop"])
    assert (len(parcels.sent), len(parcels.stopped), await plan_of(ada)) == (1, 1, "free")


async def test_a_state_has_the_products_own_word_too(page, open_shop):
    kit = await open_shop(page["products"][2])
    ada = await kit.sign_in("ada")
    page["buy"]((await ada.post("/v1/checkout", json={"plan": "pro"})).json()["url"])
    await carry(kit, page["shop"])
    shown = (await ada.get("/v1/subscription")).json()["subscription"]
    assert (shown["status"], shown["word"]) == ("trialing", "trial")
    assert (await ada.post("/v1/subscription/cancel")).json()["word"] == "cancelling"
