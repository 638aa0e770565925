"""A replica that is gone keeps its replication slot, and the slot keeps every change since."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "wal-can-fill-primary",
    Severity.WARNING,
    "A dead replica can fill its primary's disk",
    "With max_slot_wal_keep_size at its default of -1, losing the standby region stops the home region within hours.",
    "Set max_slot_wal_keep_size in the parameter group, to what the disk can spare.",
    ("AWS::RDS::DBInstance",),
    "https://www.postgresql.org/docs/17/runtime-config-replication.html",
)


def look(case: Case) -> Iterator[Seen]:
    """PostgreSQL sources of replicas in other regions."""
    seen = set()
    for replica in case.deployment.of_type("AWS::RDS::DBInstance"):
        source = case.source(replica)
        if source is None or source.region == replica.region or id(source) in seen:
            continue
        seen.add(id(source))
        value = source.get("DBParameterGroupName")
        group = case.deployment.resource(value)
        if not str(source.get("Engine")).startswith("postgres") or (value is not None and group is None):
            continue
        kept = group.get("Parameters", "max_slot_wal_keep_size", default=-1) if group is not None else -1
        if number(kept) is not None and (number(kept) or 0) < 0:
            text = f"{source.logical_id} keeps changes for {replica.logical_id} of {replica.region} without a limit."
            yield Hit(group or source, text, ("Parameters",) if group is not None else ())
