"""Run Command on one instance: the document's shell scripts, one after the other, as its superuser would run them.

An instance that does not answer in the command's delivery timeout has it as undeliverable. Scripts are real work: their
own timeout is not divided by the pace. One that was running when the twin was killed has failed: its machine went, too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bicoastal.core.errors import BicoastalError, SystemFault
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import FindHost, Host

Json = Any
_TRY_AGAIN_S = 0.5


class Invocation:
    """A command for one instance."""

    def __init__(self, ground: Ground, find_host: FindHost, region: str, work: Mapping[str, Json]) -> None:
        """`work` is what the API's question gives of it."""
        self._ground = ground
        self._find_host = find_host
        self._region = region
        self._command = str(work["command"])
        self._instance = str(work["instance"])
        self._resumed = work["status"] != "Pending"
        self._deadline = float(work["requested"]) + ground.pace.seconds(float(work["timeout"]))
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"command-{self._command}", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it is still at work."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, within_s: float) -> None:
        """The twin ends: wait for the script that runs, no longer than this."""
        self._closing.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        try:
            self._deliver()
        except SystemFault:
            return  # the control plane is gone; the command is found again

    def _deliver(self) -> None:
        if self._resumed:
            self._tell(status="Failed", details="Failed")
            return
        while (host := self._find_host(self._region, self._instance)) is None:
            if time.time() >= self._deadline:
                self._tell(status="Undeliverable", details="Undeliverable")
                return
            if self._closing.wait(_TRY_AGAIN_S):
                return
        answer = self._tell(status="InProgress", details="InProgress")
        for step in answer["steps"]:
            if answer["status"] != "InProgress":
                break
            ended, details = self._step(host, step)
            if ended != "Success":
                self._tell(status=ended, details=details)
                return
        self._tell(status="Success", details="Success")

    def _step(self, host: Host, step: Mapping[str, Json]) -> tuple[str, str]:
        """Run one script; answers the status of the invocation after it, and its details."""
        began = time.time()
        script = f"cd '{step['folder']}' || exit\n{step['script']}" if step["folder"] else step["script"]
        try:
            said = host.shell(script, step["timeout"])
            code, output, errors = said.code, said.output, said.errors
        except BicoastalError as error:
            code, output, errors = -1, "", str(error)
        late = time.time() - began >= step["timeout"]
        ended, details = ("Success", "Success") if code == 0 else ("Failed", "Failed")
        if code != 0 and late:
            ended, details = "TimedOut", "ExecutionTimedOut"
        plugin = {
            "Name": step["name"],
            "Status": ended,
            "StatusDetails": details,
            "ResponseCode": code,
            "Output": output,
            "Errors": errors,
            "Began": _iso(began),
            "Ended": _iso(time.time()),
            "Elapsed": f"PT{time.time() - began:.3f}S",
        }
        self._tell(plugin=plugin)
        return ended, details

    def _tell(self, **data: Json) -> Json:
        return self._ground.api.report(
            "ssm.invocation", self._region, command=self._command, instance=self._instance, **data
        )


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
