"""What pages somebody about the database: storage, load, memory, retained WAL, and RDS's own events.

Alarms are on RDS's metrics. What the kit measures (heartbeat age, reading sessions) is alarmed in `monitoring`, by the
fleet that publishes it. `ReplicaLag` is alarmed only far above the five minutes that it reads on an idle database: it
says that replay has stopped, not how much would be lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from bicoastal.blueprint.database.instance import named
from bicoastal.blueprint.database.monitoring import replica_suffixes
from bicoastal.blueprint.database.parameters import retained_wal_mib
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.cfn.intrinsics import Value
from bicoastal.spec import offers
from bicoastal.spec.model import Spec

_MIB: Final = 1024**2
_GIB: Final = 1024**3
BYTES_PER_CONNECTION: Final = 9_531_392
"""RDS's default for `max_connections`: the instance class's memory divided by this, 5000 at most."""
MOST_CONNECTIONS: Final = 5000
CONNECTION_SHARE: Final = 0.7
"""Of the limit as computed from the nominal memory. RDS computes with what its own processes leave: so about 80 %."""
TRANSACTION_IDS: Final = 1_000_000_000
"""Half of the way to where PostgreSQL stops taking writes; autovacuum holds it near 200 million."""
STALE_REPLAY_S: Final = 1800
WAL_IN_ANY_CASE: Final = 4 * _GIB
"""What PostgreSQL and RDS keep without any replica: `max_wal_size`, `wal_keep_size`, segments on their way to S3."""
EVENTS: Final = (
    "availability",
    "deletion",
    "failover",
    "failure",
    "low storage",
    "maintenance",
    "notification",
    "read replica",
    "recovery",
    "security",
    "security patching",
)
"""Categories of RDS events that somebody should read. Backups, creation and changes of configuration are routine."""


@dataclass(frozen=True)
class _Alarm:
    logical_id: str
    metric: str
    comparison: Literal[">", "<"]
    threshold: float
    says: str
    """The alarm's description: what it means and what to look at first."""
    minutes: int = 5
    statistic: Literal["Average", "Maximum", "Minimum"] = "Maximum"
    missing: Literal["notBreaching", "missing"] = "missing"

    @property
    def name(self) -> str:
        """`DatabaseStorageLow` as `database-storage-low`."""
        words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in self.logical_id)
        return words.lstrip("-")


def add_alarms(stack: Stack, instances: Sequence[Resource], topic: Value) -> None:
    """Every alarm of the region's instance and its readers, and the subscription to RDS's events about them."""
    for alarm in (*_storage(stack.spec), *_load(stack.spec), *_memory(stack.spec), *_replication(stack.spec)):
        _add(stack, alarm, named(stack), topic)
    suffixes = replica_suffixes(stack)
    for suffix in suffixes:
        for alarm in (_storage_low(stack.spec), _replay_stopped()):
            logical_id = f"{alarm.logical_id}{suffix.removeprefix('-').upper()}"
            _add(stack, replace(alarm, logical_id=logical_id), named(stack, suffix), topic)
    stack.add(
        "DatabaseEvents",
        "AWS::RDS::EventSubscription",
        {
            "SnsTopicArn": topic,
            "SourceType": "db-instance",
            "SourceIds": [named(stack, suffix) for suffix in ("", *suffixes)],
            "EventCategories": list(EVENTS),
            "Enabled": True,
        },
        depends_on=instances,
    )


def _storage_low(spec: Spec) -> _Alarm:
    return _Alarm(
        "DatabaseStorageLow",
        "FreeStorageSpace",
        "<",
        spec.database.storage_gib * _GIB // 10,
        "Less free than a tenth of the first storage: storage did not grow by itself (it has reached max_storage_gib, "
        "or grew in the last six hours). A full disk stops the database.",
        minutes=10,
        statistic="Minimum",
    )


def _replay_stopped() -> _Alarm:
    return _Alarm(
        "DatabaseReplayStopped",
        "ReplicaLag",
        ">",
        STALE_REPLAY_S,
        "Nothing was replayed for half an hour, on a replica. Its primary may be lost, or its slot; see `status`.",
        minutes=15,
        statistic="Minimum",
        missing="notBreaching",
    )


def _storage(spec: Spec) -> list[_Alarm]:
    return [
        _storage_low(spec),
        _Alarm(
            "DatabaseTransactionIdsHigh",
            "MaximumUsedTransactionIDs",
            ">",
            TRANSACTION_IDS,
            "Autovacuum does not keep up with transaction ids; at two billion PostgreSQL takes no writes. Look for old "
            "transactions, prepared ones, and replication slots.",
            minutes=60,
            missing="notBreaching",
        ),
    ]


def _load(spec: Spec) -> list[_Alarm]:
    alarms = [
        _Alarm(
            "DatabaseCpuHigh",
            "CPUUtilization",
            ">",
            90,
            "CPU above 90 % for a quarter of an hour: look at Performance Insights for the statements.",
            minutes=15,
            statistic="Average",
        )
    ]
    if spec.database.instance_class.startswith("db.t"):
        alarms.append(
            _Alarm(
                "DatabaseCreditsCharged",
                "CPUSurplusCreditsCharged",
                ">",
                0,
                "The burstable class works above its baseline for longer than its credits last, and costs more for it: "
                "a class that does not burst would be cheaper.",
                minutes=60,
                missing="notBreaching",
            )
        )
    return alarms


def _memory(spec: Spec) -> list[_Alarm]:
    """Limits that follow from the class's memory; where that is not known there is no number, and no alarm."""
    memory = offers.memory_gib(spec.database.instance_class)
    if memory is None:
        return []
    connections = min(int(memory * _GIB / BYTES_PER_CONNECTION), MOST_CONNECTIONS)
    return [
        _Alarm(
            "DatabaseConnectionsHigh",
            "DatabaseConnections",
            ">",
            int(connections * CONNECTION_SHARE),
            f"About four fifths of the connections that {spec.database.instance_class} takes: lower the pools' sizes, "
            "or take a larger class.",
        ),
        _Alarm(
            "DatabaseMemoryLow",
            "FreeableMemory",
            "<",
            int(memory * _GIB) // 20,
            "Less than a twentieth of the memory is free: the next step is swapping, then a restart.",
            minutes=15,
            statistic="Minimum",
        ),
    ]


def _replication(spec: Spec) -> list[_Alarm]:
    limit = retained_wal_mib(spec) * _MIB
    return [
        _Alarm(
            "DatabaseSlotLagHigh",
            "OldestReplicationSlotLag",
            ">",
            limit // 2,
            "A replica has not fetched half of the WAL that is kept for it. At the limit (max_slot_wal_keep_size) it "
            "is dropped and has to be built anew.",
            missing="notBreaching",
        ),
        _Alarm(
            "DatabaseWalHigh",
            "TransactionLogsDiskUsage",
            ">",
            limit + WAL_IN_ANY_CASE,
            "WAL takes more disk than is kept for replicas: look for a slot that holds it, or archiving that stalls.",
            minutes=15,
            missing="notBreaching",
        ),
        _replay_stopped(),
    ]


_COMPARISONS: Final = {">": "GreaterThanThreshold", "<": "LessThanThreshold"}


def _add(stack: Stack, alarm: _Alarm, instance: Value, topic: Value) -> None:
    stack.add(
        alarm.logical_id,
        "AWS::CloudWatch::Alarm",
        {
            "AlarmName": f"{stack.spec.prefix}-{alarm.name}",
            "AlarmDescription": alarm.says,
            "Namespace": "AWS/RDS",
            "MetricName": alarm.metric,
            "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": instance}],
            "Statistic": alarm.statistic,
            "Period": 60 if alarm.minutes < 60 else 300,
            "EvaluationPeriods": alarm.minutes if alarm.minutes < 60 else alarm.minutes // 5,
            "ComparisonOperator": _COMPARISONS[alarm.comparison],
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.missing,
            "AlarmActions": [topic],
            "OKActions": [topic],
        },
    )
