"""The holders of trial workspaces; what is done with whole workspaces is tested with the trials."""

import pytest

from tenantry.holders import HolderNotFound
from tenantry.holders.workspaces import move_end
from tenantry.kernel import new_id


async def test_what_is_not_there_does_not_end(kit):
    with pytest.raises(HolderNotFound):
        async with kit.system.service() as ctx:
            await move_end(ctx, new_id())
