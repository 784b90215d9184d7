"""What the operator's actions refuse."""

from tenantry.kernel import Problem


class NotReplayable(Problem):
    """It is not there any more, or it is under way already."""

    code, status = "admin.not_replayable", 409


class AddressUnproven(Problem):
    """Nobody here has proven this address. They sign in and confirm it first."""

    code, status = "admin.address_unproven", 409


class PurchaseOwned(Problem):
    """This purchase is somebody's already, or it is not there any more."""

    code, status = "admin.purchase_owned", 409


class DayUnreadable(Problem):
    """Write a day as 2026-03-14, one that is still to come."""

    code, status = "admin.day_unreadable", 422


class AddressDiffers(Problem):
    """Write the address of the account as it stands above: nobody closes the wrong one by one click."""

    code, status = "admin.address_differs", 422


class AmountUnreadable(Problem):
    """Write a whole number of credits, 0 to 1,000,000,000,000."""

    code, status = "admin.amount_unreadable", 422
