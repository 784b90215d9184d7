"""What an application leaves behind in its process."""

import gc

from tenantry import Google, Plan, Product
from tenantry.testing import AppKit

PRODUCT = Product("Acme", sign_in=[Google()], plans=[Plan("free", price=0, limits={})])


async def test_an_application_that_has_ended_keeps_nothing_from_the_collector(database, identity_provider):
    async with AppKit.start(PRODUCT, database, identity=identity_provider):
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
