"""What a group publishes to CloudWatch of itself: a count for each metric that was enabled, each minute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from bicoastal.twin.fleets.fleet import Fleet
from bicoastal.twin.interfaces import Measurement

NAMESPACE = "AWS/AutoScaling"


def measured(fleet: Fleet) -> Iterator[Measurement]:
    """One data point for each enabled metric of a group."""
    for name in fleet.metrics:
        count = _COUNTS.get(name.replace("Capacity", "Instances") if name != "GroupDesiredCapacity" else name)
        if count:
            yield Measurement(
                fleet.region,
                NAMESPACE,
                name,
                {"AutoScalingGroupName": fleet.name},
                "None",
                value=float(count(fleet)),
            )


def _in(state: str) -> Callable[[Fleet], int]:
    return lambda fleet: sum(member.state == state for member in fleet.members)


_COUNTS: Mapping[str, Callable[[Fleet], int]] = {
    "GroupMinSize": lambda fleet: fleet.minimum,
    "GroupMaxSize": lambda fleet: fleet.maximum,
    "GroupDesiredCapacity": lambda fleet: fleet.desired,
    "GroupInServiceInstances": _in("InService"),
    "GroupPendingInstances": _in("Pending"),
    "GroupStandbyInstances": _in("Standby"),
    "GroupTerminatingInstances": _in("Terminating"),
    "GroupTotalInstances": lambda fleet: len(fleet.members),
}
"""An instance is one unit of capacity: the metrics of capacities are those of instances."""
