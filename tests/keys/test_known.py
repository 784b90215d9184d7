"""What a process remembers of keys: bounded, forgotten in time, and trusted only while it hears of changes."""

from typing import Any

import pytest

from kernel.hearing import Wire, until
from keys.asked import CHANGES, Shown, shown
from keys.conftest import keyed_product
from tenantry.kernel.notices import Notices, tell
from tenantry.keys import KnownKeys, authorize
from tenantry.keys.errors import KeyRevoked, KeyUnknown
from tenantry.keys.secrets import new_secret


@pytest.fixture
async def key(kit, ada) -> Shown:
    found = await shown(kit, ada)
    await until(lambda: kit.runtime.port(Notices).is_trusted)
    return found


@pytest.fixture
def keys_known(kit) -> KnownKeys:
    found: KnownKeys = kit.runtime.port(KnownKeys)
    return found


async def asked(kit, statements, secret: str) -> int:
    """How many statements it took to know a key."""
    with statements(kit) as count:
        await kit.runtime.port(KnownKeys).find(kit.system, secret)
        return int(count())


async def test_a_key_is_looked_up_once(kit, key, statements):
    await asked(kit, statements, key.secret)
    await until(lambda: kit.runtime.port(Notices).is_trusted)
    assert await asked(kit, statements, key.secret) == 0


@pytest.mark.parametrize("subject", ["key", "holder", "owner"])
async def test_a_notice_of_the_key_its_holder_or_its_owner_is_heard(kit, key, keys_known, statements, subject):
    await asked(kit, statements, key.secret)
    topic = {"key": "key", "holder": "holder", "owner": "user"}[subject]
    async with kit.system.service() as ctx:
        await tell(ctx, topic, key.ids[subject])
    await until(lambda: keys_known.remembered(key.secret, kit.runtime.clock.monotonic()) is None)


async def test_a_change_while_it_is_looked_up_is_not_remembered(kit, key, keys_known):
    """The row is read, then the notice comes, then the older row would be remembered."""
    notices = kit.runtime.port(Notices)

    class Slow:
        """A runtime whose reading is overtaken by a notice."""

        def __init__(self, runtime: Any) -> None:
            self.product, self._service = runtime.product, runtime.service
            self.service = self

        def unit(self, *given: Any, **named: Any) -> Any:
            unit = self._service.unit(*given, **named)
            read = unit.one_or_none

            class Overtaken:
                async def one_or_none(self, *args: Any, **values: Any) -> Any:
                    found = await read(*args, **values)
                    notices.deliver("key", key.ids["key"])
                    return found

            return Overtaken()

    class Asking:
        runtime = Slow(kit.runtime)
        product = kit.runtime.product

    keys_known.forget(key.ids["key"])
    asking: Any = Asking()
    assert (await keys_known.ask(asking, key.secret)).refusal is None
    assert keys_known.remembered(key.secret, kit.runtime.clock.monotonic()) is None
    nobodys = new_secret("acme", kind="live").secret
    with pytest.raises(KeyUnknown):
        await keys_known.ask(asking, nobodys)
    # Nor that there is none: it may have been made meanwhile.
    assert keys_known.sizes == (0, 0)


async def test_what_is_unknown_is_asked_for_once_a_second(kit, key, keys_known, statements):
    nobodys = new_secret("acme", kind="live").secret
    with statements(kit) as count:
        for _ in range(20):
            with pytest.raises(KeyUnknown):
                await keys_known.find(kit.system, nobodys)
        assert count() <= 3
        # Without the checksum of a key nobody is asked at all.
        before = count()
        for secret in ("", "x" * 10_000, nobodys[:-1] + "!", "acme_live_\ud800", "Ä"):
            with pytest.raises(KeyUnknown):
                await keys_known.find(kit.system, secret)
        assert count() == before


async def test_the_oldest_is_forgotten_when_there_is_no_room(kit, ada):
    small = KnownKeys(kit.clock, kit.runtime.port(Notices), known_max=1, unknown_max=2)
    first, second = await shown(kit, ada), await shown(kit, ada)
    await until(lambda: kit.runtime.port(Notices).is_trusted)
    for one in (first, second, first, second):
        await _found(small, kit, one)
    assert small.sizes == (1, 0)
    for _ in range(5):
        with pytest.raises(KeyUnknown):
            await small.find(kit.system, new_secret("acme", kind="live").secret)
    assert small.sizes[1] <= 2
    small.forget(second.ids["holder"])
    assert small.sizes == (0, 0)


async def _found(small: KnownKeys, kit, one: Shown) -> None:
    found = await small.find(kit.system, one.secret)
    assert found.id == one.ids["key"]


async def test_who_is_cut_off_asks_the_database(start, database):
    """The channel is lost: what another process revokes is refused at once, for nothing remembered is trusted."""
    if database.service_url is None:
        pytest.skip("an SQLite file is its own channel; tests/kernel/test_watching.py has its failures")
    wire = Wire(database.service_url)
    async with wire.stretched() as url:
        kit = await start(keyed_product(), direct_url=url)
        ada = await kit.sign_in("ada")
        key = await shown(kit, ada)
        notices = kit.runtime.port(Notices)
        await until(lambda: notices.is_trusted)
        await authorize(kit.system, key.secret)
        assert kit.runtime.port(KnownKeys).remembered(key.secret, kit.runtime.clock.monotonic()) is not None
        wire.passes.clear()
        await until(lambda: not notices.is_trusted)
        await _revoked_elsewhere(kit, key)
        with pytest.raises(KeyRevoked):
            await authorize(kit.system, key.secret)
        wire.cut()
        wire.passes.set()
        await until(lambda: notices.is_trusted)
        with pytest.raises(KeyRevoked):
            await authorize(kit.system, key.secret)


async def _revoked_elsewhere(kit, key: Shown) -> None:
    """Without a word to this process' memory."""
    _, change = CHANGES["keys.revoked"]
    async with kit.system.service() as ctx:
        await ctx.db.run(change, this=key.ids["key"])
        await tell(ctx, "key", key.ids["key"])
