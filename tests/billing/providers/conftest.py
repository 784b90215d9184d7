"""Every provider keeps one contract: `from billing.providers.contract import Contract`."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))
pytest.register_assert_rewrite("billing.providers.contract", "billing.providers.rig")
