"""What can be wrong with organizations before the server starts. What the declaration says is checked by itself."""

from collections.abc import Sequence

from tenantry.kernel import Settings
from tenantry.product import Finding, Product


def check_organizations(product: Product, settings: Settings) -> Sequence[Finding]:
    """Invitations are mails, and there must be somebody who sends them."""
    if product.organizations is None or not settings.is_production or settings.smtp_url is not None:
        return []
    return [
        Finding(
            "error",
            "organizations",
            "Organizations() sends invitations by mail, and TENANTRY_SMTP_URL is unset.",
            "Set it, or take organizations out.",
        )
    ]
