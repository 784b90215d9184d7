"""What the gate does with results and pauses that cross."""

import contextlib
from collections.abc import Callable

import pytest

from tenantry.kernel.clock import FrozenClock
from tenantry.sources import SourceUnavailable
from tenantry.sources.providers.base import HostFailed
from tenantry.sources.providers.gate import Gate


@pytest.fixture
def gate(clock: FrozenClock) -> Gate:
    return Gate(lambda: clock.now().timestamp(), failures_max=2, open_seconds=10)


def fail(gate: Gate, during: Callable[[], None] = lambda: None) -> None:
    """A request that fails, and what happens while it is under way."""
    with contextlib.suppress(HostFailed), gate.passage():
        during()
        raise HostFailed("timeout")


def refused(gate: Gate) -> tuple[str, float | None]:
    with pytest.raises(SourceUnavailable) as caught, gate.passage():
        pytest.fail("the gate let a request pass")
    return caught.value.reason, caught.value.retry_after


def test_the_longer_pause_counts(gate: Gate) -> None:
    gate.pause(100, "banned")
    gate.pause(5, "throttled")
    assert refused(gate) == ("banned", 100)
    gate.pause(200, "refused", may_retry=False)
    assert refused(gate) == ("refused", None)


def test_a_result_from_before_the_circuit_opened_changes_nothing(gate: Gate, clock: FrozenClock) -> None:
    def opens() -> None:
        fail(gate)
        fail(gate)
        clock.move(seconds=4)

    fail(gate, during=opens)
    assert refused(gate) == ("failing", 6)
    clock.move(seconds=6)

    with gate.passage():  # sent as the one try of the half-open circuit
        assert refused(gate) == ("failing", 1)
    with gate.passage():
        pass


def test_a_success_from_before_the_circuit_opened_does_not_close_it(gate: Gate, clock: FrozenClock) -> None:
    with gate.passage():
        fail(gate)
        fail(gate)
        clock.move(seconds=10)
    with gate.passage():
        assert refused(gate) == ("failing", 1)


def test_a_try_that_breaks_off_is_a_failure_and_frees_the_way(gate: Gate, clock: FrozenClock) -> None:
    fail(gate)
    fail(gate)
    clock.move(seconds=10)
    with pytest.raises(ZeroDivisionError), gate.passage():
        raise ZeroDivisionError
    assert refused(gate) == ("failing", 10)
    clock.move(seconds=10)
    with gate.passage():
        pass
