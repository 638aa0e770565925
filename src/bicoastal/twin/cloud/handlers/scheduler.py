"""EventBridge Scheduler: schedules are ministack's; with the automation controller there, it fires them.

ministack's own clock would call targets with nobody's rights, knows no universal target (`aws-sdk:SERVICE:ACTION`) and
no pace. It is stopped; what has fired is remembered here, so that a schedule that stays fires once at its time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.registry import Unchanged
from bicoastal.twin.cloud.rights import Check, Request, hand_over

Json = Any


def install() -> None:
    """Stop ministack's clock."""
    emulator.replace_in_service("scheduler", "_tick_schedules", lambda: None)


def work() -> list[Json]:
    """Schedules of the region that may still fire, with when they did last (seconds since the epoch)."""
    found = []
    for key, record in emulator.store("scheduler", "_schedules").items():
        fired = FIRED.get(record["Arn"], {})
        done = record["ScheduleExpression"].startswith("at(") and fired.get("of") == record["LastModificationDate"]
        if record["State"] == "ENABLED" and not done:
            found.append({**record, "key": key, "fired": fired.get("at")})
    return found


def _report(data: Mapping[str, Json]) -> Json:
    """That a schedule has fired; one that is done and was to go is gone with that."""
    key = data["key"]
    record = emulator.store("scheduler", "_schedules").get(key)
    if record is None:
        return Unchanged()
    if data.get("completed") and record.get("ActionAfterCompletion") == "DELETE":
        del emulator.store("scheduler", "_schedules")[key]
        FIRED.pop(record["Arn"], None)
        return None
    FIRED[record["Arn"]] = {"at": data["at"], "of": record["LastModificationDate"]}
    return Unchanged()


def _may_change(request: Request) -> Sequence[Check]:
    """A schedule is named in the path, its group in the body or the query; making one hands its role over."""
    name = request.path.rpartition("/")[2]
    group = request.data.get("GroupName") or request.data.get("groupName") or "default"
    checks = [Check(request.arn("scheduler", f"schedule/{group}/{name}"))]
    role = (request.data.get("Target") or {}).get("RoleArn")
    return [*checks, hand_over(role, "scheduler.amazonaws.com")] if role else checks


FIRED = emulator.new_table("scheduler_fired")
REPORTS = {"scheduler.fired": _report}
RIGHTS = {
    f"scheduler:{action}": _may_change
    for action in ("CreateSchedule", "UpdateSchedule", "GetSchedule", "DeleteSchedule")
}
