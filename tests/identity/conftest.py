"""A product whose ways in the test chooses."""

from collections.abc import Callable
from typing import Any

import pytest

from tenantry import Google, Meter, Plan, Product

requests = Meter("requests", per="day")


@pytest.fixture
def product_of() -> Callable[..., Product]:
    """Makes a product: `product_of(sign_in=[...])`."""

    def made(**changes: Any) -> Product:
        values: dict[str, Any] = {
            "sign_in": [Google()],
            "plans": [Plan("free", price=0, limits={requests: 5}, features=["Five requests a day"])],
        }
        return Product("Acme", **{**values, **changes})

    return made
