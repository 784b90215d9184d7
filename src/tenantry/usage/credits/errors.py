"""What credits refuse."""

from typing import Self

from tenantry.kernel import Context, Problem

from .rows import Reservation

BUY_PATH = "/pricing"


class CreditsInsufficient(Problem):
    """You have too few credits for this. Buy more, or wait until you are given more."""

    # What 402 was meant for (RFC 9110, section 15.5.3); waiting does not help, so it is no 429.
    code, status = "usage.credits_insufficient", 402

    @classmethod
    def of(cls, ctx: Context, needed: int, available: int, reserved: int) -> Self:
        """The refusal of so many, with the numbers and where more are to be had in the body."""
        name = ctx.product.credits.name if ctx.product.credits else "credits"
        aside = f" {reserved} are set aside for work under way." if reserved else ""
        return cls(
            f"This costs {needed} {name}; you have {available}.{aside}",
            needed=needed,
            available=available,
            reserved=reserved,
            credits=name,
            buy_at=f"{ctx.settings.public_url}{BUY_PATH}",
        )


class CreditsSpentOtherwise(Problem):
    """Under this reference another amount was spent."""

    code, status = "usage.credits_spent_otherwise", 409


class CreditReservationNotFound(Problem):
    """There is no such reservation of credits, or it is not yours."""

    code, status = "usage.credit_reservation_not_found", 404


class CreditReservationConflict(Problem):
    """The reservation of this id was made of other credits, or has ended otherwise."""

    code, status = "usage.credit_reservation_conflict", 409

    @classmethod
    def of(cls, reservation: Reservation) -> Self:
        """The refusal of another end than the one it has."""
        at = "" if reservation.used is None else f" at {reservation.used} units"
        return cls(
            f"The reservation is {reservation.status} already{at}.",
            reservation=str(reservation.id),
            amount=reservation.amount,
            used=reservation.used,
        )
