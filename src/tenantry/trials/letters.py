"""What owners are told about the end of their trials."""

from tenantry.kernel import Context
from tenantry.web import Formats, Letter, Translator

from .rows import Workspace


def ending_letter(ctx: Context, words: Translator, workspace: Workspace) -> Letter:
    """To the owner: when it ends, what that means, and what can be done before."""
    values = _values(ctx, words, workspace)
    return Letter(
        words("Your trial %(name)s ends on %(time)s", **values),
        [
            words("The trial workspace %(name)s on %(product)s ends on %(time)s.", **values),
            words("From then on its API keys are refused. What was done with them stays for you to look at."),
        ],
        action=_action(ctx, words),
        closing=[words("To keep its keys, convert it to a plan before it ends: %(pricing)s", **values)],
    )


def ended_letter(ctx: Context, words: Translator, workspace: Workspace) -> Letter:
    """To the owner: that it is over, and how to go on."""
    values = _values(ctx, words, workspace)
    return Letter(
        words("Your trial %(name)s is over", **values),
        [
            words("The trial workspace %(name)s on %(product)s ended on %(time)s.", **values),
            words("Its API keys are refused now. What was done with them stays for you to look at."),
        ],
        action=_action(ctx, words),
        closing=[words("To go on, look at the plans: %(pricing)s", **values)],
    )


def _action(ctx: Context, words: Translator) -> tuple[str, str]:
    return words("Look at your trials"), f"{ctx.settings.public_url}/trials"


def _values(ctx: Context, words: Translator, workspace: Workspace) -> dict[str, str]:
    return {
        "name": workspace.name,
        "product": ctx.product.name,
        "time": Formats(words).utc(workspace.expires_at),
        "pricing": f"{ctx.settings.public_url}/pricing",
    }
