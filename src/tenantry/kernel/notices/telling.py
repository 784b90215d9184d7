"""Telling: in the transaction that changes something."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from ..context import Context
from ..figures import Figure
from ..policies import PolicyRefused, Role
from ..retention import forget
from ..runtime import Runtime
from . import queries
from .hearing import Notices
from .models import TOPIC_LENGTH_MAX

KEPT = timedelta(minutes=1)
"""How long a file keeps a notice. Whoever did not look for that long finds a gap, and forgets everything."""
_TOPIC = re.compile(rf"[a-z][a-z_]{{0,{TOPIC_LENGTH_MAX - 1}}}")


async def tell(ctx: Context, topic: str, subject: UUID) -> None:
    """Tell every process, this one too, that `subject` changed; it is told when the open unit commits, or never.

    A topic is a word such as `holder`. Refused (PolicyRefused) outside of a writing unit on the service login.
    """
    if not _TOPIC.fullmatch(topic):
        msg = f"a topic is one word of small letters, not {topic!r}"
        raise ValueError(msg)
    unit = ctx.db
    if unit.identity.role is not Role.SERVICE or not unit.writes:
        msg = "a notice is told in a writing unit on the service login: it comes with what it tells of"
        raise PolicyRefused(msg)
    if unit.kind == "sqlite":
        await unit.run(queries.STORE, topic=topic, subject_id=subject)
    else:
        await unit.run(queries.SEND, payload=f"{topic} {subject}")


async def forget_notices(ctx: Context, _payload: dict[str, Any]) -> None:
    """Delete what everybody has read, but for the newest."""
    await forget(ctx, queries.EXPIRED, before=ctx.clock.now() - KEPT)


def notice_figures(runtime: Runtime) -> Iterable[Figure]:
    """Whether this process hears the others at the moment, and how often it had to forget what it knew."""
    notices = runtime.port(Notices)
    return (
        Figure(
            "tenantry_notices_trusted", "1 while other processes' changes are heard of in time.", notices.is_trusted
        ),
        Figure(
            "tenantry_notices_doubts",
            "How often everything remembered was forgotten, because a change may have gone unheard.",
            notices.doubts,
            kind="counter",
        ),
    )
