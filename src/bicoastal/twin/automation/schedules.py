"""EventBridge Scheduler's schedules: each fires when it is due, with the rights of its role.

Targets are the universal ones, `arn:aws:scheduler:::aws-sdk:SERVICE:ACTION`, and topics. A call that fails is tried
again as the schedule's retry policy says, which is AWS's and so of the twin's pace.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from bicoastal.core.errors import BicoastalError, SystemFault
from bicoastal.twin.automation.calls import call
from bicoastal.twin.ground import Ground
from bicoastal.twin.timetable import Clock, due

Json = Any
_SERVICE = "scheduler.amazonaws.com"
_UNIVERSAL = ":scheduler:::aws-sdk:"
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 60.0
_TELL_AGAIN_S = 0.5
_DEFAULT_AGE_S, _DEFAULT_ATTEMPTS = 86_400.0, 185


def next_due(record: Mapping[str, Json], ground: Ground) -> float | None:
    """When a schedule fires next, in seconds since the epoch; None for one that is over. Raises SystemFault."""
    clock = Clock(float(record["LastModificationDate"]), ground.pace)
    zone = str(record.get("ScheduleExpressionTimezone") or "UTC")
    fired = record.get("fired")
    found = due(str(record["ScheduleExpression"]), zone, clock, None if fired is None else float(fired))
    end = record.get("EndDate")
    return None if found is None or (end is not None and clock.reads(found) > float(end)) else found


class Firing:
    """One time that a schedule is due."""

    def __init__(self, ground: Ground, region: str, record: Mapping[str, Json], at: float) -> None:
        """`at` is when it is, in seconds since the epoch."""
        self.version = record["LastModificationDate"]
        self._ground = ground
        self._region = region
        self._record = record
        self._at = at
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"schedule-{record['Name']}", daemon=True)
        self.failure = ""
        """Why it has not reached its target, if it has not."""

    @property
    def alive(self) -> bool:
        """Whether it waits or is at work."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def close(self, within_s: float) -> None:
        """Leave off: the schedule was changed or deleted, or the twin ends."""
        self._closing.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        if self._closing.wait(max(self._at - time.time(), 0.0)) or not self._reach():
            return
        completed = str(self._record["ScheduleExpression"]).startswith("at(")
        told: dict[str, Json] = {"key": self._record["key"], "at": self._at, "completed": completed}
        while not self._closing.is_set():
            try:
                self._ground.api.report("scheduler.fired", self._region, **told)
            except SystemFault:
                # Untold it would fire again when the twin starts anew.
                self._closing.wait(_TELL_AGAIN_S)
            else:
                return

    def _reach(self) -> bool:
        """Call the target until it has worked or the policy gives up; False when we were told to leave off."""
        policy = self._record["Target"].get("RetryPolicy") or {}
        age_s = self._ground.pace.seconds(float(policy.get("MaximumEventAgeInSeconds", _DEFAULT_AGE_S)))
        attempts, pause_s = int(policy.get("MaximumRetryAttempts", _DEFAULT_ATTEMPTS)) + 1, _FIRST_RETRY_S
        for _ in range(attempts):
            try:
                self._call()
            except BicoastalError as error:
                self.failure = str(error)
            else:
                return True
            wait_s, pause_s = self._ground.pace.seconds(pause_s), min(pause_s * 2, _LONGEST_RETRY_S)
            if time.time() + wait_s > self._at + age_s:
                break
            if self._closing.wait(wait_s):
                return False
        return True

    def _call(self) -> None:
        target = self._record["Target"]
        arn, text = str(target["Arn"]), target.get("Input") or "{}"
        name = f"{self._record['Name']}"[:64]
        session = self._ground.api.session(self._ground.api.credentials(target["RoleArn"], _SERVICE, name))
        if _UNIVERSAL in arn:
            service, _, action = arn.partition(_UNIVERSAL)[2].partition(":")
            call(session, self._region, service, action, json.loads(text))
        elif ":sns:" in arn:
            call(session, self._region, "sns", "Publish", {"TopicArn": arn, "Message": text})
        else:
            raise SystemFault(f"{arn}: the twin's schedules call universal targets and topics")
