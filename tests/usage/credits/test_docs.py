"""The code in `docs/credits.md` runs, as it stands there."""

from dataclasses import replace
from pathlib import Path

import pytest

from tenantry import Module
from tenantry.kernel import new_id
from usage.people import person

PAGE = Path(__file__).parents[3] / "docs" / "credits.md"


class Model:
    """What the page calls `model`: an answer costs what the question says, or it is away."""

    async def ask(self, question):
        if question == "away":
            raise ConnectionError
        return "yes", int(question)


@pytest.fixture
def page():
    names = {"model": Model(), "log": []}
    for block in PAGE.read_text(encoding="utf-8").split("```python\n")[1:]:
        exec(compile(block.partition("```")[0], PAGE.name, "exec"), names)
    return names


async def test_the_page_says_what_happens(start, page):
    assert page["product"].check() == []
    kit = await start(replace(page["product"], modules=[Module("pages", routers=[page["router"]])]))
    ctx, friend, printed = await person(kit, "free"), new_id(), new_id()
    for _ in range(2):
        await page["reward"](ctx, ctx.holder.id, friend)
        assert await page["print_page"](ctx, printed) == 45
    with pytest.raises(page["CreditsInsufficient"]):
        await page["answer"](ctx, "30")
    async with ctx.service() as working:
        await page["set_balance"](working, ctx.holder.id, 410, expires_at=None, reason="more")
    assert await page["answer"](ctx, "30") == "yes"
    assert (await page["balance"](ctx)).available == 380
    async with ctx.service() as working:
        await page["give"](working, ctx.holder.id, 40, reason="some")
    assert await page["answer"](ctx, "500") == "yes"
    assert page["log"] == [80]
    async with ctx.service() as working:
        await page["give"](working, ctx.holder.id, 400, reason="some")
    with pytest.raises(ConnectionError):
        await page["answer"](ctx, "away")
    assert (await page["balance"](ctx)).available == 400
    ada = await kit.sign_in("ada")
    answers = [await ada.post("/v1/pages") for _ in range(5)]
    assert [one.status_code for one in answers] == [200, 200, 200, 200, 402]
