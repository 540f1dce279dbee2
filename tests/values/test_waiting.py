from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverqueue import InvalidParamsError, checks
from riverqueue.waiting import delays


class Sleeper:
    """Time that passes only by sleeping."""

    def __init__(self):
        self.time = 1000.0

    def now(self):
        return self.time

    def looks(self, limit, most=10_000):
        """The times of the looks, from the start."""
        for delay in islice(delays(limit, self.now), most):
            self.time += delay
            yield self.time - 1000.0


def test_the_first_look_is_at_once_and_the_last_at_the_limit():
    assert list(Sleeper().looks(0)) == [0.0]
    times = list(Sleeper().looks(5.0))
    assert (times[0], times[-1]) == (0.0, pytest.approx(5.0))


def test_for_ever():
    times = list(Sleeper().looks(None, most=500))
    assert len(times) == 500
    assert times[-1] - times[-2] == pytest.approx(1.0)


@given(st.floats(0, 1000))
def test_what_is_quick_is_known_quickly_and_nothing_is_asked_often(limit):
    times = list(Sleeper().looks(limit))
    for before, after in pairwise(times):
        assert after - before <= max(0.01, before * 0.1) + 1e-9
        assert after - before >= 0.01 - 1e-9 or after == pytest.approx(limit)
    assert len(times) < 120 + limit * 1.1


@pytest.mark.parametrize("value", [-1, "5", True, float("nan"), object()])
def test_limits_are_checked(value):
    with pytest.raises(InvalidParamsError, match="timeout"):
        checks.seconds(value, "timeout")
