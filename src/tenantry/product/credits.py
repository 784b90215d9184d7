"""What a product says about credits: units that people have, spend and see run out, whatever their plan counts."""

from dataclasses import dataclass
from datetime import timedelta

from .shapes import must_be, must_be_text


@dataclass(frozen=True, slots=True)
class Credits:
    """Units that are granted, spent and expire. A product without them has no page and no route for them.

    - `name`: what people call them, in the plural: "tokens".
    - `expires`: how long a grant lasts for which nobody says otherwise: one that was paid once, or the gift; None, for
      ever. What belongs to a subscription's period lasts as long as the period's access.
    - `on_sign_up`: how many everybody who signs up is given.

    How many a price buys is said at the payment provider (metadata `tokens`), or by `Plan.credits`.
    """

    name: str = "credits"
    expires: timedelta | None = None
    on_sign_up: int = 0

    def __post_init__(self) -> None:
        must_be_text(self, "name")
        must_be(self, "expires", self.expires, timedelta, type(None))
