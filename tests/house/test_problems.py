"""Problems are named after their room, listed and explained.

`python tests/house/test_problems.py` writes the list anew.
"""

import sys
from pathlib import Path
from types import new_class

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))

from house.rules.problem_codes import every_problem, misnamed, snapshot
from house.rules.tree import unexcused
from tenantry.kernel import Problem

LIST = Path(__file__).parent / "problem_codes.txt"


def problem(code: str, room: str) -> type[Problem]:
    body = {"code": code, "status": 409, "__doc__": "A sentence.", "__module__": f"elsewhere.{room}.errors"}
    return new_class("Planted", (Problem,), exec_body=lambda made: made.update(body))


def test_every_code_is_one_of_a_kind_and_names_its_room():
    assert unexcused(misnamed(every_problem()), {}) == []


def test_a_code_of_another_room_and_a_code_used_twice_are_found():
    planted = [problem("keys.gone", "keys"), problem("keys.gone", "keys"), problem("keys.lost", "usage")]
    assert [one.what.split()[0] for one in misnamed(planted)] == ["is", "Planted"]
    assert list(misnamed([problem("request.gone", "kernel")])) == []


def test_codes_and_statuses_stay_what_callers_know():
    assert snapshot(every_problem()) == LIST.read_text(encoding="utf-8")


def test_another_status_is_another_line():
    assert snapshot([problem("keys.gone", "keys")]) == "keys.gone 409\n"


async def test_every_problem_is_explained_on_its_page(kit):
    browser = await kit.client()
    answer = await browser.get("/problems")
    assert answer.status_code == 200
    assert [one.code for one in every_problem() if f'id="{one.code}"' not in answer.text] == []


if __name__ == "__main__":
    LIST.write_text(snapshot(every_problem()), encoding="utf-8")
