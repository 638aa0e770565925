"""How CloudFormation makes, rolls and empties a group whose instances are real: it waits for what they say.

All of it runs on a worker thread. It changes what the group should be and waits; the fleets' controller launches and
ends. What a failed update leaves (sizes, suspended processes) is remembered in the group until the rollback, which is
an update to the old properties like any other, has put it back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from bicoastal.twin.cloud import emulator, planes
from bicoastal.twin.cloud.handlers import groups
from bicoastal.twin.cloud.handlers.group_actions import resume_processes, suspend_processes
from bicoastal.twin.cloud.handlers.groups import LOCK, Record, changed, stamp
from bicoastal.twin.cloud.handlers.signals import Resource, Signals, duration, refusal
from bicoastal.twin.cloud.registry import Refused

Json = Any

_STABLE_S = 3600.0
_OWN_S = 60.0
"""Our own patience, beyond the template's times: processes must start and end."""


def definition(resource: Resource) -> dict[str, Json]:
    """CreationPolicy and UpdatePolicy of a resource in the template that is being deployed, resolved."""
    stack = resource.record
    found = emulator.provisioners()._cfn_wait_condition_definition(resource.stack, resource.logical_id)
    kept = {name: found[name] for name in ("CreationPolicy", "UpdatePolicy") if name in found}
    given = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", ())}
    known = stack.get("_resolved_params") or {}
    resolved: dict[str, Json] = emulator.cloudformation("engine")._resolve_refs(
        kept,
        stack.get("_resources") or {},
        {name: {**known.get(name, {}), "Value": value} for name, value in given.items()},
        stack.get("_conditions") or {},
        (stack.get("_template") or {}).get("Mappings") or {},
        resource.stack,
        stack["StackId"],
    )
    return resolved


def await_created(record: Record, policies: Mapping[str, Json], resource: Resource, heard: Signals) -> None:
    """Wait for the signals that the creation policy asks, and for the instances. Raises Refused when they fail."""
    policy = policies.get("CreationPolicy") or {}
    if "ResourceSignal" in policy:
        signal = policy["ResourceSignal"] or {}
        count = int(signal.get("Count") or 1)
        percent = float((policy.get("AutoScalingCreationPolicy") or {}).get("MinSuccessfulInstancesPercent", 100))
        timeout_s = planes.seconds(duration(signal.get("Timeout"), "PT5M"))
        missing = heard.await_all(count, timeout_s, lambda: refusal(heard, count, percent), resource.check_cancelled)
        if reason := refusal(heard, count, percent):
            raise Refused(reason)
        if missing:
            resource.say(_silence(missing))
        if heard.successes < math.ceil(count * percent / 100):
            raise Refused(
                f"Received {heard.successes} SUCCESS signal(s) out of {count}.  "
                f"Unable to satisfy {percent:g}% MinSuccessfulInstancesPercent requirement"
            )
    _await_stable(record, resource)


def _await_stable(record: Record, resource: Resource) -> None:
    """As many in service as are desired."""

    def stable() -> bool:
        resource.check_cancelled()
        serving = [member for member in record["Instances"] if member["LifecycleState"] == "InService"]
        return len(serving) >= int(record["DesiredCapacity"])

    try:
        planes.wait_until("the group", stable, planes.seconds(_STABLE_S) + _OWN_S)
    except Refused:
        last: Record = next(iter(record.get("_activities", ())), {})
        raise Refused(
            f"Group did not stabilize. {{Last Activity: {last.get('Description', '')}. Status Reason: "
            f"{last.get('StatusMessage', '')}}}"
        ) from None


def empty(record: Record) -> None:
    """Bring the group to zero and wait until its instances have drained and ended. Raises Refused when they do not."""
    groups.to_zero(record)
    planes.wait_until(
        f"Auto Scaling group {record['AutoScalingGroupName']} without instances",
        lambda: not record["Instances"],
        planes.seconds(_STABLE_S) + _OWN_S,
    )


class RollingUpdate:
    """One rolling update of one group."""

    def __init__(
        self, record: Record, policy: Mapping[str, Json], resource: Resource, heard: Signals, wanted: Mapping[str, Json]
    ) -> None:
        """`policy` is AutoScalingRollingUpdate, `wanted` the launch template and version that are to run."""
        self._record = record
        self._resource = resource
        self._heard = heard
        self._wanted = wanted
        self._batch = max(int(policy.get("MaxBatchSize") or 1), 1)
        self._floor = int(policy.get("MinInstancesInService") or 0)
        self._percent = float(policy.get("MinSuccessfulInstancesPercent", 100))
        self._awaits = str(policy.get("WaitOnResourceSignals", "false")).lower() == "true"
        self._pause = str(policy.get("PauseTime") or ("PT5M" if self._awaits else "PT0S"))
        self._suspends = tuple(policy.get("SuspendProcesses") or ())
        self._launched = 0
        self._total = 0

    def run(self) -> None:
        """Replace what is obsolete, batch by batch. Raises Refused when too many of the new ones fail."""
        old = self._obsolete()
        kept = self._begin()
        desired = kept["desired"]
        if old:
            self._total = max(desired - self._current(), 0)
            self._announce(len(old))
            if int(self._record["DesiredCapacity"]) - self._batch < self._floor and self._total:
                self._raise_size()
            replaced = 0
            while old:
                batch, old = old[: self._batch], old[self._batch :]
                self._replace(batch, desired)
                replaced += len(batch)
                ids = ", ".join(member["InstanceId"] for member in batch)
                progress = replaced * 100 // (replaced + len(old))
                self._resource.say(f"Successfully terminated instance(s) [{ids}] (Progress {progress}%).")
                self._await_new()
        self._end(kept)

    def _begin(self) -> dict[str, Json]:
        """Suspend processes; what was before is remembered in the group, by the first attempt."""
        with LOCK:
            kept: dict[str, Json] = self._record.setdefault(
                "_rolling", {"desired": int(self._record["DesiredCapacity"]), "suspended": []}
            )
            running = tuple(name for name in self._suspends if not groups.is_suspended(self._record, name))
            kept["suspended"] = [*kept["suspended"], *running]
            kept["minimum"] = int(self._record["MinSize"])
            kept["desired"] = min(max(kept["desired"], kept["minimum"]), int(self._record["MaxSize"]))
            suspend_processes(self._record, running, "User suspended")
        return kept

    def _end(self, kept: Mapping[str, Json]) -> None:
        with LOCK:
            resume_processes(self._record, tuple(kept["suspended"]))
            self._record.update(MinSize=kept["minimum"], DesiredCapacity=kept["desired"])
            self._record.pop("_rolling", None)
            changed(self._record)

    def _obsolete(self) -> list[Record]:
        subnets = set(str(self._record.get("VPCZoneIdentifier") or "").split(","))
        old = [
            member
            for member in groups.capacity(self._record)
            if not self._is_current(member) or (member.get("_subnet") and member["_subnet"] not in subnets)
        ]
        return sorted(old, key=lambda member: (member["HealthStatus"] == "Healthy", member["_launched"]))

    def _is_current(self, member: Mapping[str, Json]) -> bool:
        runs = member.get("LaunchTemplate") or {}
        return all(runs.get(name) == self._wanted.get(name) for name in ("LaunchTemplateId", "Version"))

    def _current(self) -> int:
        old = self._obsolete()
        return sum(member not in old for member in groups.capacity(self._record))

    def _announce(self, count: int) -> None:
        parts = [
            f"Rolling update initiated. Terminating {count} obsolete instance(s) in batches of {self._batch}",
            f", while keeping at least {self._floor} instance(s) in service" if self._floor else "",
            ". ",
            f"Waiting on resource signals with a timeout of {self._pause} when new instances are added to the "
            "autoscaling group."
            if self._awaits
            else f"Pausing for {self._pause} when new instances are added to the autoscaling group.",
        ]
        self._resource.say("".join(parts))

    def _raise_size(self) -> None:
        """New instances first, where the old ones may not go before."""
        before = int(self._record["DesiredCapacity"])
        size = min(int(self._record["MaxSize"]), self._floor + self._batch)
        if size <= before:
            return
        self._resource.say(f"Temporarily setting autoscaling group MinSize and DesiredCapacity to {size}.")
        self._launched += min(max(size - len(self._staying()), 0), self._total)
        self._size(size)
        self._await_new()

    def _replace(self, batch: list[Record], desired: int) -> None:
        """End a batch; each is replaced as far as new ones are still missing.

        As CloudFormation does, it does not wait until they have drained.
        """
        anew = min(len(batch), max(desired - self._current(), 0))
        ids = [member["InstanceId"] for member in batch]
        self._resource.say(f"Terminating instance(s) [{', '.join(ids)}]; replacing with {anew} new instance(s).")
        with LOCK:
            before = self._staying()
            kept = [member for member in before if member not in batch]
            for member in batch:
                if member["LifecycleState"] in groups.CAPACITY:
                    cause = f"At {stamp()} an instance was taken out of service in response to a user request."
                    groups.retire(self._record, member, cause)
            size = int(self._record["DesiredCapacity"]) - max(len(before) - len(kept) - anew, 0)
            self._size(size)
        # One that was to be replaced as unhealthy may have its successor already: none comes for it, and none signals.
        self._launched += min(max(size - len(kept), 0), anew)

    def _staying(self) -> list[Record]:
        """Who counts for the desired capacity: not who is being replaced."""
        return [member for member in groups.capacity(self._record) if not member.get("_leaving")]

    def _size(self, desired: int) -> None:
        with LOCK:
            self._record["DesiredCapacity"] = desired
            self._record["MinSize"] = min(desired, int(self._record["MaxSize"]))
            changed(self._record)

    def _await_new(self) -> None:
        """Wait for what the new instances say, or for the pause. Raises Refused when too many fail."""
        timeout_s = planes.seconds(duration(self._pause, "PT0S"))
        missing = self._launched - self._heard.successes - self._heard.failures
        if not self._awaits:
            self._wait("in service", lambda: self._serving() >= int(self._record["DesiredCapacity"]))
            if self._launched:
                self._heard.await_all(self._launched + 1, timeout_s, lambda: None, self._resource.check_cancelled)
            return
        if missing > 0:
            self._resource.say(
                f"New instance(s) added to autoscaling group - Waiting on {missing} resource signal(s) with a timeout "
                f"of {self._pause}."
            )
        missing = self._heard.await_all(
            self._launched,
            timeout_s,
            lambda: refusal(self._heard, self._total, self._percent),
            self._resource.check_cancelled,
        )
        if missing and not refusal(self._heard, self._total, self._percent):
            self._heard.give_up(missing)
            self._resource.say(_silence(missing))
        if reason := refusal(self._heard, self._total, self._percent):
            raise Refused(reason)
        # One that has signalled before it was in service is no reason yet to end an old one.
        self._wait("in service", lambda: not self._comes())

    def _comes(self) -> bool:
        return any(
            member["LifecycleState"] == "Pending" and groups.state_of(member["InstanceId"])[0] in ("pending", "running")
            for member in tuple(self._record["Instances"])
        )

    def _serving(self) -> int:
        return sum(member["LifecycleState"] == "InService" for member in self._record["Instances"])

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        def looked() -> bool:
            self._resource.check_cancelled()
            return condition()

        name = self._record["AutoScalingGroupName"]
        planes.wait_until(f"instances of {name} {what}", looked, planes.seconds(_STABLE_S) + _OWN_S)


def _silence(missing: int) -> str:
    return (
        f"Failed to receive {missing} resource signal(s) for the current batch.  "
        "Each resource signal timeout is counted as a FAILURE."
    )
