"""The rules live in `rules/` beside the tests, which import them as `house.rules`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
