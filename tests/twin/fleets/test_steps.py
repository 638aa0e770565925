"""The arithmetic of scaling policies, with the examples of the EC2 Auto Scaling User Guide."""

from __future__ import annotations

from typing import Any

import pytest

from bicoastal.twin.fleets.steps import adjusted, step_for, target


@pytest.mark.parametrize(
    ("capacity", "kind", "adjustment", "magnitude", "after"),
    [
        (3, "ChangeInCapacity", 5, 0, 8),
        (3, "ChangeInCapacity", -1, 0, 2),
        (3, "ExactCapacity", 5, 0, 5),
        (10, "PercentChangeInCapacity", 10, 0, 11),
        # Rounded towards zero: 12.7 is 12, -6.67 is -6; what is less than one instance is one.
        (127, "PercentChangeInCapacity", 10, 0, 139),
        (667, "PercentChangeInCapacity", -1, 0, 661),
        (2, "PercentChangeInCapacity", 25, 0, 3),
        (2, "PercentChangeInCapacity", -25, 0, 1),
        # A quarter of four is one, but two at least.
        (4, "PercentChangeInCapacity", 25, 2, 6),
        (4, "PercentChangeInCapacity", -25, 2, 2),
        (20, "PercentChangeInCapacity", 25, 2, 25),
        (4, "PercentChangeInCapacity", 0, 2, 4),
    ],
)
def test_adjustments(capacity: int, kind: str, adjustment: int, magnitude: int, after: int) -> None:
    assert adjusted(capacity, kind, adjustment, magnitude) == after


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="no adjustment type"):
        adjusted(1, "Doubling", 1)


def _step(adjustment: int, lower: float | None = None, upper: float | None = None) -> dict[str, Any]:
    bounds = {"MetricIntervalLowerBound": lower, "MetricIntervalUpperBound": upper}
    return {"ScalingAdjustment": adjustment, **{name: value for name, value in bounds.items() if value is not None}}


OUT = (_step(0, 0, 10), _step(10, 10, 20), _step(30, 20))
IN = (_step(0, -10, 0), _step(-10, -20, -10), _step(-30, None, -20))


@pytest.mark.parametrize(
    ("steps", "breach", "adjustment"),
    [
        (OUT, 0, 0),
        (OUT, 9.9, 0),
        (OUT, 10, 10),
        (OUT, 20, 30),
        (OUT, 1000, 30),
        (OUT, -1, None),
        # Below the threshold the bound that is nearer to it belongs to the step.
        (IN, -10, -10),
        (IN, -10.1, -10),
        (IN, -20, -30),
        (IN, -9, 0),
        (IN, 1, None),
    ],
)
def test_steps(steps: tuple[dict[str, Any], ...], breach: float, adjustment: int | None) -> None:
    step = step_for(steps, breach)
    assert (step["ScalingAdjustment"] if step else None) == adjustment


PERCENT = {"AdjustmentType": "PercentChangeInCapacity", "MinAdjustmentMagnitude": 1}


@pytest.mark.parametrize(
    ("adjustment", "desired", "warm", "present", "wanted"),
    [
        # The guide: ten instances; 10 % adds one; while it warms up the same breach adds nothing, 30 % adds two more.
        (10, 10, 10, 10, 11),
        (10, 11, 10, 11, 11),
        (30, 11, 10, 11, 13),
        # Nobody is warm yet: a first breach after a start does not lower anything.
        (25, 2, 0, 2, 2),
        # In: one that still terminates is part of the capacity, so no second one goes.
        (-10, 10, 10, 10, 9),
        (-10, 9, 9, 10, 9),
        (-10, 9, 9, 9, 8),
    ],
)
def test_the_capacity_that_a_step_asks_for(adjustment: int, desired: int, warm: int, present: int, wanted: int) -> None:
    assert target(PERCENT, adjustment, desired=desired, warm=warm, present=present) == wanted


@pytest.mark.parametrize(("exact", "desired", "wanted"), [(5, 2, 5), (2, 5, 2), (3, 3, 3)])
def test_an_exact_capacity(exact: int, desired: int, wanted: int) -> None:
    assert target({"AdjustmentType": "ExactCapacity"}, exact, desired=desired, warm=desired, present=desired) == wanted
