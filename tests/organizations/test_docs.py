"""The table of roles in the documentation is the one that counts. TENANTRY_WRITE=1 writes it anew."""

import os
from pathlib import Path

from tenantry.app.rooms import ROOMS
from tenantry.organizations import ROLES
from tenantry.organizations.roles import DESCRIPTIONS

PAGE = Path(__file__).parents[2] / "docs" / "organizations.md"
BEGIN, END = "<!-- roles -->\n", "<!-- /roles -->\n"


def printed() -> str:
    """The roles in words, and every permission by role."""
    said = {one.name: one.description for room in ROOMS for one in room.permissions}
    lines = ["| role | in words |", "|---|---|", *(f"| {role} | {words} |" for role, words in DESCRIPTIONS.items())]
    names = sorted({name for names in ROLES.values() for name in names})
    lines += ["", f"| permission | allows | {' | '.join(ROLES)} |", "|---|---|" + "---|" * len(ROLES)]
    for name in names:
        cells = " | ".join("yes" if name in ROLES[role] else "" for role in ROLES)
        lines.append(f"| `{name}` | {said.get(name, 'the room of that name says')} | {cells} |")
    return "\n".join(lines) + "\n"


def test_the_documented_roles_are_those_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    wanted = head + BEGIN + printed() + END + tail
    if os.environ.get("TENANTRY_WRITE"):
        PAGE.write_text(wanted, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == wanted
