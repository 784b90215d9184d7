"""What an application leaves behind in its process."""

import gc
import weakref

from tenantry import Google, Plan, Product
from tenantry.testing import AppKit

PRODUCT = Product("Acme", sign_in=[Google()], plans=[Plan("free", price=0, limits={})])


async def test_an_application_that_has_ended_keeps_nothing_from_the_collector(database, identity_provider):
    async with AppKit.start(PRODUCT, database, identity=identity_provider):
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0


async def test_an_application_that_nobody_holds_any_more_is_gone(database, identity_provider):
    async with AppKit.start(PRODUCT, database, identity=identity_provider) as kit:
        client = await kit.client()
        assert (await client.get("/readyz")).status_code == 200
        assert "tenantry_" in (await client.get("/metrics")).text
        seen = weakref.ref(kit.runtime)
    del kit, client
    for _ in range(3):
        gc.collect()
    assert seen() is None
