"""Nobody learns from the time an answer takes whether an address has an account.

Two kinds of address are asked about in turn, each once, in an order drawn by lot within each pair, so that whatever
else the machine does meets both alike. The statistic is that of Mann and Whitney: how likely it is that an answer of
one kind takes longer than one of the other, 0.5 where the kinds cannot be told apart. The bound is four standard
errors (three of a hundred thousand runs without a difference go beyond it on either side): 0.5 ± 0.09 with 300 pairs.
What the bound resolves depends on how busy the machine is, so it is tried on the same figures: a test fails too when
30 % added to every answer of one kind would not be found. It prints what is found at least.
"""

import gc
import random
from collections.abc import Awaitable, Callable
from math import sqrt
from statistics import median
from time import perf_counter

import bcrypt
import httpx2
import pytest

from identity.password_steps import WAYS, ask, enter, person
from tenantry.identity.actions.people import ban_user
from tenantry.identity.hashing import PasswordHashing
from tenantry.testing import AppKit

pytestmark = [pytest.mark.deep, pytest.mark.timeout(1800)]

PAIRS = 300
PAIRS_OF_SLOW_ONES = 100
WARM_UP = 20
STANDARD_ERRORS = 4
SHARES = (1.01, 1.02, 1.05, 1.1, 1.2, 1.3)

Question = Callable[[httpx2.AsyncClient, str], Awaitable[httpx2.Response]]


async def sign_in(browser: httpx2.AsyncClient, email: str) -> httpx2.Response:
    return await enter(browser, email, "not the password")


async def reset(browser: httpx2.AsyncClient, email: str) -> httpx2.Response:
    return await ask(browser, email)


async def magic_link(browser: httpx2.AsyncClient, email: str) -> httpx2.Response:
    return await browser.post("/v1/auth/magic-link", json={"email": email})


async def sign_up(browser: httpx2.AsyncClient, email: str) -> httpx2.Response:
    return await browser.post("/v1/auth/sign-up", json={"email": email, "password": "seven grey herons"})


def statistic(one: list[float], other: list[float]) -> tuple[float, float]:
    """How likely a value of `one` is larger than one of `other`, and its distance from 0.5 in standard errors."""
    ordered = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    ranks = sum(rank for rank, (_, kind) in enumerate(ordered, start=1) if kind == 0)
    count, others = len(one), len(other)
    likely = (ranks - count * (count + 1) / 2) / (count * others)
    return likely, (likely - 0.5) / sqrt((count + others + 1) / (12 * count * others))


async def settle(kit: AppKit, kind: str, hashed: dict[str, str], number: int) -> str:
    """An address of a kind, asked about once."""
    email = f"{kind}{number:05}@example.com"
    if kind != "nobody":
        user = await person(kit, email, password=None, hashed=hashed.get(kind))
        if kind == "banned":
            async with kit.system.service() as ctx:
                await ban_user(ctx, user, reason="spam")
    return email


async def measure(kit: AppKit, question: Question, kinds: tuple[str, str], pairs: int) -> dict[str, list[float]]:
    hashing = kit.runtime.port(PasswordHashing)
    hashed = {
        "people": await hashing.hash("the password"),
        "import": bcrypt.hashpw(b"the password", bcrypt.gensalt(11)).decode(),
    }
    browser = await kit.client()
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    gc.collect()
    gc.disable()
    try:
        for number in range(WARM_UP + pairs):
            asked = [(kind, await settle(kit, kind, hashed, number)) for kind in kinds]
            random.shuffle(asked)
            # Each pair comes from a network of its own: limits are looked at elsewhere.
            browser.headers["X-Forwarded-For"] = f"203.{number // 250}.113.{number % 250}"
            for kind, email in asked:
                browser.cookies.clear()
                begun = perf_counter()
                answer = await question(browser, email)
                taken = perf_counter() - begun
                assert answer.status_code == (401 if question is sign_in else 202), answer.text
                if number >= WARM_UP:
                    times[kind].append(taken)
            if number % 50 == 0:
                gc.collect()
    finally:
        gc.enable()
    return times


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        (sign_in, "people"), (sign_in, "bare"), (sign_in, "import"), (sign_in, "banned"), (reset, "people"),
        (reset, "banned"), (magic_link, "people"), (magic_link, "banned"), (sign_up, "people"), (sign_up, "banned"),
    ],
)  # fmt: skip
async def test_class_21_the_time_of_an_answer_tells_nothing(start, product_of, database_kind, question, kind):
    kit = await start(product_of(sign_in=[*WAYS]), trusted_proxies=1)
    pairs = PAIRS_OF_SLOW_ONES if kind == "import" else PAIRS
    times = await measure(kit, question, (kind, "nobody"), pairs)
    known, unknown = times[kind], times["nobody"]
    likely, errors = statistic(known, unknown)
    found = [one for one in SHARES if statistic([one * value for value in known], unknown)[1] > STANDARD_ERRORS]
    print(  # noqa: T201 - the figures are half of what it is run for
        f"\n{question.__name__} {kind} {database_kind}: median {1000 * median(known):.2f} ms known, "
        f"{1000 * median(unknown):.2f} ms unknown; P = {likely:.3f}, {errors:+.1f} standard errors; "
        f"{min(found, default=9) - 1:.0%} more would be found"
    )
    assert abs(errors) < STANDARD_ERRORS
    assert found


def test_the_statistic_finds_what_differs_and_nothing_else() -> None:
    drawn = random.Random(7)
    one, other = ([drawn.lognormvariate(0, 0.1) for _ in range(PAIRS)] for _ in range(2))
    assert abs(statistic(one, other)[1]) < STANDARD_ERRORS
    assert statistic([1.05 * value for value in one], other)[1] > STANDARD_ERRORS
    assert statistic(one, [1.05 * value for value in other])[1] < -STANDARD_ERRORS
    assert statistic([1.0, 2.0], [3.0, 4.0])[0] == 0
    assert statistic([3.0, 4.0], [1.0, 2.0])[0] == 1
