"""How far a replica is behind its primary, or was when it last heard of it: by the kit's own figures in its region."""

from __future__ import annotations

import time

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import BicoastalError
from bicoastal.operate.decide import lag_at_last_contact
from bicoastal.operate.sight import Side
from bicoastal.operate.subject import Subject

_SERIES_MINUTES = 5
"""Before the last heartbeat."""


def streams(side: Side) -> bool:
    """Whether its replica hears of its primary, as far as PostgreSQL knows."""
    return side.kit is not None and side.kit.receiver == "streaming" and side.kit.heartbeat_age_s is not None


def lag_of(session: Session, subject: Subject, side: Side) -> float | None:
    """Seconds; None where it is not known. Asks CloudWatch, in the replica's region, where no contact is left."""
    kit = side.kit
    if kit is None:
        return None
    if kit.receiver == "streaming" and kit.heartbeat_age_s is not None:
        # A way that says nothing any more is given up by PostgreSQL after a minute: until then it counts as one.
        return max(kit.heartbeat_age_s - (kit.last_contact_s or 0.0), 0.0)
    if kit.beat_at is None:
        return None
    try:
        with aws_faults(f"reading the heartbeat's age in {side.region}"):
            answer = session.client("cloudwatch", side.region).get_metric_data(
                MetricDataQueries=[_heartbeat(subject)],
                # Somebody may have thought for hours before he asked.
                StartTime=kit.beat_at - 60 * _SERIES_MINUTES,
                EndTime=time.time(),
                ScanBy="TimestampAscending",
            )
    except BicoastalError:
        return None
    found = answer["MetricDataResults"][0]
    ages = [(at.timestamp(), age) for at, age in zip(found["Timestamps"], found["Values"], strict=True)]
    return lag_at_last_contact(ages, kit.beat_at)


def _heartbeat(subject: Subject) -> dict[str, object]:
    metric = {
        "Namespace": f"Bicoastal/{subject.prefix}",
        "MetricName": "HeartbeatAge",
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": f"{subject.prefix}-fleet"}],
    }
    return {"Id": "age", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Minimum"}}
