"""Units a minute: our own count, what the host tells, and when the next request may go."""

import pytest

from tenantry.kernel.clock import FrozenClock
from tenantry.sources.providers.budget import Budget


@pytest.fixture
def budget(clock: FrozenClock) -> Budget:
    return Budget(clock, 100)  # the clock stands at the beginning of a minute


def test_what_was_sent_is_used_until_the_minute_ends(budget: Budget, clock: FrozenClock) -> None:
    budget.send(30)
    budget.send(2)
    clock.move(seconds=59.9)
    assert budget.used == 32
    clock.move(seconds=0.1)
    assert budget.used == 0


def test_what_others_of_the_address_used_is_counted_too(budget: Budget) -> None:
    mark = budget.send(2)
    budget.send(2)  # after the first, so the host had not counted it
    budget.hear(mark, 50)
    assert budget.used == 52


@pytest.mark.parametrize("told", [None, -1, 0, 10**9])
def test_what_is_not_told_or_odd_leaves_our_own_count(budget: Budget, told: int | None) -> None:
    budget.hear(budget.send(30), told)
    assert budget.used == 30


def test_an_answer_that_was_overtaken_says_nothing(budget: Budget) -> None:
    first, second = budget.send(2), budget.send(2)
    budget.hear(second, 60)
    budget.hear(first, 10)
    assert budget.used == 60


def test_an_answer_to_a_request_of_the_last_minute_says_nothing(budget: Budget, clock: FrozenClock) -> None:
    mark = budget.send(2)
    clock.move(seconds=60)
    budget.hear(mark, 99)
    assert budget.used == 0
    budget.hear(budget.send(2), 70)
    assert budget.used == 70


def test_a_host_whose_minute_has_begun_anew_is_believed(budget: Budget) -> None:
    budget.hear(budget.send(2), 90)
    budget.hear(budget.send(2), 2)
    assert budget.used == 4


def test_four_fifths_go_at_once_and_the_rest_is_spread_over_the_minute(budget: Budget, clock: FrozenClock) -> None:
    clock.move(seconds=30)
    budget.send(80)
    assert budget.wait_seconds(2) == 0
    budget.send(2)
    # 18 are left for 30 seconds: two every 3.33 seconds.
    assert budget.wait_seconds(2) == pytest.approx(30 * 2 / 18)
    clock.move(seconds=3.34)
    assert budget.wait_seconds(2) == 0


def test_nothing_left_waits_for_the_next_minute(budget: Budget, clock: FrozenClock) -> None:
    budget.send(99)
    clock.move(seconds=20)
    assert (budget.wait_seconds(2), budget.minute_ends_in()) == (40, 40)
    clock.move(seconds=40)
    assert budget.wait_seconds(2) == 0


def test_a_request_that_costs_more_than_is_left_waits_although_the_budget_is_not_short(budget: Budget) -> None:
    budget.send(70)
    assert (budget.wait_seconds(2), budget.wait_seconds(31)) == (0, 60)


def test_a_clock_that_is_set_back_makes_nobody_wait_for_longer(budget: Budget, clock: FrozenClock) -> None:
    clock.move(hours=1)
    budget.send(90)
    clock.move(hours=-1)
    assert budget.wait_seconds(2) <= 60


def test_never_more_than_the_limit_is_sent_however_many_want_to(budget: Budget, clock: FrozenClock) -> None:
    sent = []
    for _ in range(600):
        if budget.wait_seconds(2) == 0:
            budget.send(2)
            sent.append(clock.now().second)
        clock.move(seconds=0.1)
    assert len(sent) <= 50
    assert sent[-1] >= 50  # and the last of it lasts until the minute's end
