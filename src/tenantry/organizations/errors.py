"""What organizations refuse."""

from tenantry.kernel import Problem


class OrganizationNotFound(Problem):
    """There is no such organization, or you do not belong to it."""

    code, status = "organizations.not_found", 404


class MemberNotFound(Problem):
    """Nobody of that id belongs to this organization."""

    code, status = "organizations.member_not_found", 404


class OwnerStays(Problem):
    """An organization always has its owner. Make another member the owner first, or delete the organization."""

    code, status = "organizations.owner_stays", 409


class OwnerBlocked(Problem):
    """This member cannot become the owner at present."""

    code, status = "organizations.owner_blocked", 409


class TooManyOrganizations(Problem):
    """You belong to as many organizations as a person may. Leave one first."""

    code, status = "organizations.too_many", 409


class SeatsFull(Problem):
    """Every seat of this organization is taken. Remove somebody, take an invitation back, or take a larger plan."""

    # As with other rows that a plan counts: waiting does not help, and the caller may make room.
    code, status = "organizations.seats_full", 409


class InvitationNotFound(Problem):
    """There is no such invitation. It may have been sent anew: then only the link of the newest mail works."""

    code, status = "organizations.invitation_not_found", 404


class InvitationPending(Problem):
    """This address is invited already. Send that invitation again, or take it back first."""

    code, status = "organizations.invitation_pending", 409


class InvitationOver(Problem):
    """This invitation was accepted, declined or taken back, or it has expired. Ask for another one."""

    code, status = "organizations.invitation_over", 409


class AlreadyMember(Problem):
    """This person belongs to the organization already."""

    code, status = "organizations.already_member", 409


class InvitedOther(Problem):
    """This invitation is somebody else's. Sign in with the address that was invited."""

    code, status = "organizations.invited_other", 403


class InvitedUnproven(Problem):
    """Confirm first that your e-mail address is yours, with a mail of ours to it. The invitation waits until then."""

    code, status = "organizations.invited_unproven", 403


class OwnsOrganizations(Problem):
    """You own organizations that others belong to. Make one of them the owner, or delete the organization, first."""

    code, status = "organizations.still_owned", 409
