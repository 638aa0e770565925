"""SignalResource for Auto Scaling groups: instances tell CloudFormation how their start ended, while it waits for that.

A signal is taken for a resource that waits and for no other; what is refused is refused in AWS's words, which the kit
on the instances must know. Wait conditions stay ministack's.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bicoastal.twin.cloud import answers, emulator
from bicoastal.twin.cloud.answers import Answer, ServiceError
from bicoastal.twin.cloud.registry import Refused

Json = Any

NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
GROUP = "AWS::AutoScaling::AutoScalingGroup"
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
_LOOK_S = 0.5
"""Between two looks at whether the operation was cancelled; a signal wakes at once."""


class Resource:
    """A resource of a stack, as its events name it."""

    def __init__(self, stack: str, logical_id: str) -> None:
        """`stack` is its name; it exists."""
        self.stack = stack
        self.logical_id = logical_id

    @property
    def record(self) -> Mapping[str, Json]:
        """Its stack."""
        found: Mapping[str, Json] = emulator.store("cloudformation", "_stacks")[self.stack]
        return found

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other."""
        return str(self.record["StackId"]), self.logical_id

    def say(self, reason: str) -> None:
        """An event that says how far it is."""
        verb = "CREATE" if self.record["StackStatus"].startswith("CREATE") else "UPDATE"
        emulator.stacks()._add_event(
            self.record["StackId"], self.stack, self.logical_id, GROUP, f"{verb}_IN_PROGRESS", reason
        )

    def check_cancelled(self) -> None:
        """Raise Refused when the operation was cancelled: CloudFormation does not wait to the end then."""
        if self.record.get("_cancel_requested"):
            raise Refused("Resource update cancelled")


class Signals:
    """What a resource has heard since it began to wait: each instance counts once."""

    def __init__(self) -> None:
        self._heard: dict[str, bool] = {}
        self._timed_out = 0
        self._changed = threading.Condition()

    def take(self, id_: str, *, success: bool) -> bool:
        """One signal; False for one that was heard before."""
        with self._changed:
            new = id_ not in self._heard
            if new:
                self._heard[id_] = success
                self._changed.notify_all()
            return new

    @property
    def successes(self) -> int:
        """How many said that all is well."""
        return sum(self._heard.values())

    @property
    def failures(self) -> int:
        """How many did not, or said nothing in time."""
        return len(self._heard) - self.successes + self._timed_out

    def await_all(
        self, count: int, timeout_s: float, enough: Callable[[], str | None], look: Callable[[], None]
    ) -> int:
        """Wait until so many were heard in all, or `enough` gives a reason to stop, or the time is over.

        `look` is asked now and then and may raise. Returns how many are missing.
        """
        end = time.monotonic() + timeout_s
        with self._changed:
            while True:
                missing = max(count - self.successes - self.failures, 0)
                left = end - time.monotonic()
                if not missing or enough() or left <= 0:
                    return missing
                self._changed.wait(min(left, _LOOK_S))
                look()

    def give_up(self, missing: int) -> None:
        """Those that said nothing count as failures."""
        with self._changed:
            self._timed_out += missing


def refusal(signals: Signals, total: int, percent: float) -> str | None:
    """Why so many failures are too many, in AWS's words; None while they are not."""
    allowed = total - math.ceil(total * percent / 100)
    if signals.failures <= allowed:
        return None
    return (
        f"Received {signals.failures} FAILURE signal(s) out of {total}.  "
        f"Unable to satisfy {percent:g}% MinSuccessfulInstancesPercent requirement"
    )


def duration(value: Json, default: str) -> float:
    """Seconds of a duration as CloudFormation writes them: `PT15M`. Raises Refused for anything else."""
    found = _DURATION.fullmatch(str(value or default))
    if not found or not any(found.groups()):
        raise Refused(f"Invalid duration {value}: it must be in the form PT#H#M#S (ValidationError)")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(hours * 3600 + minutes * 60 + seconds)


_waiting: dict[tuple[str, str], tuple[Resource, Signals]] = {}


@contextmanager
def waiting(resource: Resource) -> Iterator[Signals]:
    """While this lasts, signals for the resource are taken."""
    heard = Signals()
    key = resource.key
    _waiting[key] = resource, heard
    try:
        yield heard
    finally:
        _waiting.pop(key, None)


def install() -> None:
    """Put the action in place."""
    handlers = emulator.cloudformation("handlers")
    inner = handlers._ACTION_HANDLERS["SignalResource"]

    def signal(params: Mapping[str, Json]) -> Answer:
        try:
            return _signal(answers.unflatten(params), lambda: inner(params))
        except ServiceError as error:
            return answers.query_error(error, NAMESPACE)

    handlers._ACTION_HANDLERS["SignalResource"] = signal


def _signal(request: Mapping[str, Json], inner: Callable[[], Answer]) -> Answer:
    stack = emulator.cloudformation("handlers")._resolve_stack(request.get("StackName", ""))
    logical_id, id_, status = (request.get(name, "") for name in ("LogicalResourceId", "UniqueId", "Status"))
    resource, heard = _waiting.get((stack["StackId"], logical_id), (None, None)) if stack else (None, None)
    if resource and heard and 0 < len(id_) <= 64 and status in ("SUCCESS", "FAILURE"):
        if heard.take(id_, success=status == "SUCCESS"):
            resource.say(f"Received {status} signal with UniqueId {id_}")
        return answers.query_answer("SignalResource", NAMESPACE, {})
    answer = inner()
    if stack and answer[0] >= 400:
        said = answer[2].decode()
        if "cannot be signaled" in said:
            raise _not_signaled(f"Stack {stack['StackId']}", stack["StackStatus"])
        if "is not waiting for signals" in said:
            known = stack.get("_resources", {}).get(logical_id, {})
            raise _not_signaled(f"Resource {logical_id}", known.get("ResourceStatus", "CREATE_COMPLETE"))
    return answer


def _not_signaled(what: str, status: str) -> ServiceError:
    return ServiceError("ValidationError", f"{what} is in {status} state and cannot be signaled")
