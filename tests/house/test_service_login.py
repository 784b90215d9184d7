"""Whoever works on the service login is named in the room's `module.py`, with a reason."""

import pytest

from house.rules.service_login import unexplained, users_of_service
from house.rules.tree import package, plant, sources, unexcused
from tenantry.app.rooms import ROOMS


def test_every_use_of_the_service_login_has_a_reason():
    files = package()
    assert len(list(users_of_service(files))) > 5
    assert unexcused(unexplained(files, {module.name: module.service for module in ROOMS}), {}) == []


USES = [
    "async def act(ctx):\n    async with ctx.service() as working: ...",
    "async def act(runtime):\n    await queries.x(runtime.service.unit(SERVICE))",
    "async def act(ctx: Service): ...",
    "class A:\n    async def act(self, ctx):\n        async with system_context(x).service(writes=False): ...",
]


@pytest.mark.parametrize("text", USES)
def test_a_use_without_reason_is_found(text, tmp_path):
    files = sources(plant(tmp_path, {"room/actions.py": text}))
    assert len(list(unexplained(files, {}))) == 1
    assert list(unexplained(files, {"room": {"act": "a reason"}})) == []
    assert list(unexplained(files, {"room": {"actions": "a reason"}})) == []


def test_a_function_speaks_for_the_private_ones_it_calls(tmp_path):
    private = (
        "async def act(ctx):\n    await _act(ctx)\nasync def _act(ctx):\n    async with ctx.service() as working: ..."
    )
    files = sources(plant(tmp_path, {"room/actions.py": private}))
    assert [one.place for one in unexplained(files, {})] == ["room/actions.py:_act"]
    assert list(unexplained(files, {"room": {"act": "a reason"}})) == []
    public = sources(plant(tmp_path, {"room/actions.py": private.replace("_act", "other")}))
    assert [one.place for one in unexplained(public, {"room": {"act": "a reason"}})] == ["room/actions.py:other"]


def test_a_reason_for_nothing_is_found(tmp_path):
    files = sources(plant(tmp_path, {"room/actions.py": "async def act(ctx): ..."}))
    assert [one.place for one in unexplained(files, {"room": {"gone": "a reason"}})] == ["room"]
