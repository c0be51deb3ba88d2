"""A lane's pace: steps a second, and how much delay is caught up."""

import pytest

from lrtui.training import pace as pace_module
from lrtui.training.pace import CATCH_UP_S, Pace


class FakeTime:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = FakeTime()
    monkeypatch.setattr(pace_module, "time", clock)
    return clock


def test_without_a_limit_no_step_waits(clock):
    pace = Pace(0)
    pace.step_done()
    assert not pace.limited
    assert pace.wait_s() == 0.0


def test_steps_are_due_at_equal_distances(clock):
    pace = Pace(10)
    assert pace.wait_s() == 0.0
    pace.step_done()
    assert pace.wait_s() == pytest.approx(0.1)
    clock.now += 0.15
    assert pace.wait_s() < 0
    pace.step_done()
    assert pace.wait_s() == pytest.approx(0.05)


def test_a_long_delay_is_caught_up_in_part(clock):
    pace = Pace(10)
    clock.now += 5.0
    pace.step_done()
    assert pace.wait_s() == pytest.approx(-CATCH_UP_S)
