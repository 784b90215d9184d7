"""What the rows say: plans beside the declaration, organizations without a holder, and jobs that died.

On the service login, which sees all of them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tenantry.holders.mirroring import Mirrored, compare_plans
from tenantry.kernel.database import Unit
from tenantry.kernel.jobs import counts, dead
from tenantry.organizations import count_without_holder
from tenantry.product import Finding, Product

from .report import Sheet

DEAD_MAX = 1000
_KEEP = "declare it with is_active=False: then it is known, keeps its limits and is not offered"


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer about the stored plans, or why there is none."""

    findings: tuple[Finding, ...] = ()
    skipped: str = ""


async def look_at_rows(db: Unit, product: Product) -> tuple[list[Finding], list[Sheet]]:
    """Findings about plans and jobs, and both in figures."""
    mirrored = await compare_plans(db, product)
    findings = [*find_unknown(mirrored, product), *_find_stale(mirrored), *await _find_unheld(db, product)]
    numbers = {one.status: one.count for one in await counts(db)}
    if number := numbers.get("dead"):
        findings.append(_dead(number, Counter(job.name for job in await dead(db, limit=DEAD_MAX))))
    jobs = [{"status": status, "jobs": numbers.get(status, 0)} for status in ("queued", "running", "done", "dead")]
    return findings, [
        Sheet("plans", "Plans", tuple(_rows(mirrored))),
        Sheet("jobs", "Jobs", tuple(jobs)),
    ]


async def ask_rows(db: Unit, product: Product) -> tuple[Finding, ...]:
    """Only what does not go with the declaration: plans that it does not know, organizations that hold nothing."""
    return *find_unknown(await compare_plans(db, product), product), *await _find_unheld(db, product)


def find_unknown(mirrored: Mirrored, product: Product) -> Iterator[Finding]:
    """A warning for each stored plan that is not declared: the server starts all the same."""
    for name, holders in mirrored.unknown.items():
        if holders:
            who = "1 holder is on it and has" if holders == 1 else f"{holders} holders are on it and have"
            problem = f'The stored plan "{name}" is not declared; {who} the limits of "{_default(product)}".'
            fix = f"Put its holders on another plan (tenantry.holders.set_plan), or {_KEEP}."
        else:
            problem = f'The stored plan "{name}" is not declared; nobody is on it.'
            fix = f"Nothing has to be done. To hear no more of it, {_KEEP}."
        yield Finding("warning", "database.plans", problem, fix)


def _find_stale(mirrored: Mirrored) -> Iterator[Finding]:
    fix = "Start the server: it writes the plans of its declaration."
    for name, columns in mirrored.changed.items():
        problem = f'The plan "{name}" is stored otherwise than declared: {", ".join(columns)}.'
        yield Finding("warning", "database.plans", problem, fix)
    for name in mirrored.absent:
        yield Finding("warning", "database.plans", f'The plan "{name}" is declared and not stored yet.', fix)


async def _find_unheld(db: Unit, product: Product) -> list[Finding]:
    number = await count_without_holder(db, product)
    if not number:
        return []
    has = "1 organization has" if number == 1 else f"{number} organizations have"
    problem = f'{has} no plan yet: the product says billed="organization", and did not when they were made.'
    fix = f'Start the server: it puts each on "{_default(product)}". What people have paid for stays their own.'
    return [Finding("warning", "database.organizations", problem, fix)]


def _dead(number: int, names: Counter[str]) -> Finding:
    told = ", ".join(f"{name} ({count})" for name, count in names.most_common(5))
    are = "1 job is dead" if number == 1 else f"{number} jobs are dead"
    fix = "`tenantry jobs list` shows what they failed of; `tenantry jobs replay ID` queues one again."
    return Finding("warning", "database.jobs", f"{are}: {told}.", fix)


def _rows(mirrored: Mirrored) -> Iterator[dict[str, Any]]:
    for plan in mirrored.stored:
        is_declared = plan.name not in mirrored.unknown
        yield {"plan": plan.name, "declared": is_declared, "active": plan.is_active, "holders": plan.holders}


def _default(product: Product) -> str:
    return product.default.name if product.plans else ""
