"""The product with organizations, running. What tests share stands beside them."""

import sys
from pathlib import Path
from typing import Any

import pytest

# As in `from organizations.people import ...`.
sys.path.append(str(Path(__file__).parents[1]))

from organizations.people import team_product
from tenantry.testing import AppKit


@pytest.fixture
async def kit(start: Any) -> AppKit:
    started: AppKit = await start(team_product())
    return started
