"""${message}

Revision ${up_revision}, after ${down_revision or "nothing"}, ${create_date.strftime("%Y-%m-%d")}.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}


def _now() -> Any:
    return sa.text("(tenantry_now())" if op.get_context().dialect.name == "sqlite" else "tenantry.now()")


def _run(kind: str, *statements: str) -> None:
    if op.get_context().dialect.name == kind:
        for statement in statements:
            op.execute(sa.text(statement.replace(":", "\\:")))
