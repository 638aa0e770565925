"""One automation, step after step: where each leads, how often it is tried, what a failure or a cancellation does.

An execution is a thread. What it has done is reported to the API before the next step begins, so that a twin that was
killed carries on at the step that it was in: that one is run again from its beginning, as Systems Manager does at least
once. A sleep ends when it would have.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bicoastal.aws.session import Session
from bicoastal.core.errors import BicoastalError, SystemFault
from bicoastal.twin.automation.actions import ACTIONS, WAITS, Done
from bicoastal.twin.automation.calls import call
from bicoastal.twin.automation.document import ABORT, CONTINUE, Document, Step
from bicoastal.twin.automation.scripts import Runner
from bicoastal.twin.automation.values import as_strings, as_text, filled, from_strings, selected, typed
from bicoastal.twin.ground import Ground

Json = Any
CANCELLATION_S = 120.0
"""How long the steps after a cancellation may take: Systems Manager's limit on real work, so the pace leaves it."""
_SERVICE = "ssm.amazonaws.com"
_CHANGES_S = 1.0
_BETWEEN_ASKING_S = 0.05
_MOST_TEXT = 2_000
_TRY_AGAIN_S = 0.5


class _Cancelled(Exception):  # noqa: N818 - what happened, not an error
    """Somebody stopped the execution."""


class _TimedOut(Exception):  # noqa: N818
    """The step's time is over."""


class _Closing(Exception):  # noqa: N818
    """The twin ends; the execution stays as it is."""


class Execution:
    """One that the API knows and that has not ended."""

    def __init__(self, ground: Ground, region: str, id_: str) -> None:
        self.pace = ground.pace
        self.began = time.time()
        self._ground = ground
        self._region = region
        self._id = id_
        self._thread = threading.Thread(target=self._run, name=f"automation-{id_}", daemon=True)
        self._interrupted = threading.Event()
        self._cancelled = threading.Event()
        self._closing = threading.Event()
        self._deadline: float | None = None
        self._cancellation_ends: float | None = None
        self._session: Session | None = None
        self._runner: Runner | None = None
        self._credentials: Mapping[str, str] = {}
        self._outputs: dict[str, Json] = {}
        self._ended_steps: list[Json] = []
        self._failure: tuple[str, str] | None = None
        """The status that the execution will end with, and why."""

    @property
    def alive(self) -> bool:
        """Whether it is still at work."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin, or carry on."""
        self._thread.start()

    def cancel(self) -> None:
        """End the step that runs, and go where its `onCancel` leads."""
        if not self._cancelled.is_set():
            self._cancelled.set()
            self._interrupted.set()

    def close(self, within_s: float) -> None:
        """The twin ends: leave off at once."""
        self._closing.set()
        self._interrupted.set()
        self._thread.join(within_s)

    # What actions are given (actions.Run).

    def call(self, service: str, action: str, parameters: Mapping[str, Json]) -> Json:
        """An AWS API's answer, asked for with the role's rights."""
        if self._session is None:
            raise RuntimeError("the role is taken before the first step")
        return call(self._session, self._region, service, action, parameters)

    def script(self, text: str, handler: str, payload: Json) -> Json:
        """What the function returns."""
        runner = self._runner or self._new_runner()
        self._runner = None
        return runner.run(text, handler, payload, self.pause)

    def pause(self, seconds: float) -> None:
        """Let time pass; a cancellation, a timeout and the twin's end end the step here."""
        self._check()
        left = seconds if self._deadline is None else min(seconds, self._deadline - time.time())
        self._interrupted.wait(max(left, 0.0))
        self._check()

    def await_change(self, number: int) -> int:
        """Let time pass until the API's state is another one than at this change, a second at most."""
        self.pause(_BETWEEN_ASKING_S if number >= 0 else 0)
        # A second at most, so that a cancellation and the twin's end are met soon.
        within_s = min(max(self.pace.seconds(_CHANGES_S * 5), _BETWEEN_ASKING_S), _CHANGES_S)
        try:
            return self._ground.api.changes(number, within_s)
        except SystemFault:
            self.pause(_TRY_AGAIN_S)
            return number

    def set_variable(self, name: str, value: Json) -> None:
        """Change one that the document declares."""
        if f"variable:{name}" not in self._outputs:
            raise SystemFault(f"the document declares no variable {name}")
        self._outputs[f"variable:{name}"] = value

    # The walk.

    def _run(self) -> None:
        try:
            self._walk()
        except _Closing:
            return
        except Exception as error:
            self._end("Failed", f"{type(error).__name__}: {error}")
        finally:
            if self._runner is not None:
                self._runner.close()

    def _walk(self) -> None:
        work = self._tell(begin=True, status="InProgress")["work"]
        if work is None:
            return  # it has ended since we were told of it
        document = Document.of(work["content"], work["Parameters"])
        self._know(document, work)
        try:
            self._become(work["role"], document)
        except BicoastalError as error:
            self._end("Failed", str(error))
            return
        name, resumed = self._first(document, work)
        while name:
            step = document.steps[name]
            cancelled = self._cancelled.is_set() and self._failure != ("Cancelled", "")
            if cancelled:
                # Between two steps: the one that would come is the one that is cancelled.
                name = self._on_cancel(step)
                continue
            name = self._step(document, step, resumed)
            resumed = None
        self._end(*(self._failure or ("Success", "")), outputs=self._kept(document))

    def _on_cancel(self, step: Step) -> str:
        """Where a cancelled step leads: Systems Manager gives what follows two minutes."""
        stop = self._tell()["stop"]
        self._failure = ("Success", "") if stop == "Complete" else ("Cancelled", "")
        if stop == "Complete" or step.on_cancel == ABORT:
            return ""
        if not self._closing.is_set():
            self._interrupted.clear()
        self._cancellation_ends = time.time() + CANCELLATION_S
        return step.on_cancel

    def _step(self, document: Document, step: Step, resumed: float | None) -> str:
        """Run one; answers the name of the next."""
        self.began = resumed or time.time()
        record: dict[str, Json] = {"StepName": step.name, "ExecutionStartTime": self.began, "StepStatus": "InProgress"}
        self._set_deadline(step)
        try:
            inputs = filled(dict(step.inputs), self._look_up)
            record["Inputs"] = {name: as_text(value)[:_MOST_TEXT] for name, value in inputs.items()}
            self._tell_step(record, step.action)
            done = self._tried(step, inputs)
            self._keep(step, done, record)
        except _Cancelled:
            self._leave(record, "Cancelled", "the execution was cancelled")
            return self._on_cancel(step)
        except _TimedOut:
            return self._failed(document, step, record, "TimedOut", f"it took longer than {step.timeout_s:g} s")
        except BicoastalError as error:
            return self._failed(document, step, record, "Failed", str(error).partition("\n    -> ")[0])
        self._leave(record, "Success")
        return document.after(step) if done.next_step is None else done.next_step

    def _tried(self, step: Step, inputs: Mapping[str, Json]) -> Done:
        action = ACTIONS.get(step.action)
        if action is None:
            raise SystemFault(f"{step.action} is not run by the twin: {', '.join(ACTIONS)} are")
        for attempt in range(1, step.attempts + 1):
            try:
                return action(self, inputs)
            except KeyError as error:
                raise SystemFault(f"{step.action} needs the input {error}") from error
            except BicoastalError:
                if attempt == step.attempts:
                    raise
                self.pause(_TRY_AGAIN_S)
        raise AssertionError("attempts are one or more")

    def _failed(self, document: Document, step: Step, record: dict[str, Json], status: str, why: str) -> str:
        message = (
            f"Step fails when it is Execute/Cancelling action. {why} Please refer to Automation Service "
            "Troubleshooting Guide for more diagnosis details."
        )
        self._leave(record, status, message)
        if self._failure is None and (step.is_critical or step.on_failure == ABORT):
            self._failure = (status, f"Step {step.name}: {message}")
        if step.on_failure == ABORT:
            return ""
        return document.after(step) if step.on_failure == CONTINUE else step.on_failure

    def _leave(self, record: dict[str, Json], status: str, message: str = "") -> None:
        """The step has ended; that is told with the next one, or with the end."""
        record.update(StepStatus=status, ExecutionEndTime=time.time())
        if message:
            record["FailureMessage"] = message
            record["FailureDetails"] = {"FailureStage": "Invocation", "FailureType": status, "Details": {}}
        self._deadline = None
        self._ended_steps.append(dict(record))

    # What it knows and tells.

    def _know(self, document: Document, work: Json) -> None:
        self._outputs.update({f"variable:{name}": value for name, value in document.variables.items()})
        self._outputs.update(document.parameters)
        now = datetime.now(UTC)
        self._outputs.update(
            {
                "automation:EXECUTION_ID": self._id,
                "global:DATE": now.strftime("%Y-%m-%d"),
                "global:DATE_TIME": now.strftime("%Y-%m-%d_%H.%M.%S"),
                "global:REGION": self._region,
                "global:ACCOUNT_ID": self._ground.api.endpoint.account,
            }
        )
        for earlier in work["StepExecutions"]:
            kinds = {output.name: output.type for output in document.steps[earlier["StepName"]].outputs}
            for name, values in (earlier.get("Outputs") or {}).items():
                self._outputs[f"{earlier['StepName']}.{name}"] = from_strings(values, kinds.get(name, "String"))
            bad = earlier["StepStatus"] in ("Failed", "TimedOut") and document.steps[earlier["StepName"]].is_critical
            if earlier["StepStatus"] == "Cancelled":
                self._failure = ("Cancelled", "")
            elif bad and self._failure is None:
                self._failure = (earlier["StepStatus"], f"Step {earlier['StepName']}: {earlier['FailureMessage']}")

    def _become(self, role: str, document: Document) -> None:
        """Take the role, and start what will run scripts: boto3 loads while the first steps run."""
        api = self._ground.api
        if role:
            self._credentials = api.credentials(role, _SERVICE, f"Automation-{self._id}"[:64])
        else:
            endpoint = api.endpoint
            self._credentials = {
                "AccessKeyId": endpoint.access_key_id,
                "SecretAccessKey": endpoint.secret_access_key,
                "SessionToken": "",
            }
        self._session = api.session(self._credentials)
        if any(step.action == "aws:executeScript" for step in document.steps.values()):
            self._runner = self._new_runner()

    def _new_runner(self) -> Runner:
        environment = {
            "AWS_ACCESS_KEY_ID": self._credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self._credentials["SecretAccessKey"],
            "AWS_ENDPOINT_URL": self._ground.api.endpoint.url,
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
        }
        if self._credentials.get("SessionToken"):
            environment["AWS_SESSION_TOKEN"] = self._credentials["SessionToken"]
        return Runner(self._ground.home, self._id, environment)

    def _first(self, document: Document, work: Json) -> tuple[str, float | None]:
        """The step to begin with, and when it began, if it did."""
        for earlier in work["StepExecutions"]:
            if earlier["StepStatus"] == "InProgress":
                return earlier["StepName"], float(earlier["ExecutionStartTime"])
        return next(iter(document.steps)), None

    def _look_up(self, name: str) -> Json:
        if name not in self._outputs:
            raise SystemFault(f"{{{{ {name} }}}} is neither a parameter nor an output of an earlier step")
        return self._outputs[name]

    def _keep(self, step: Step, done: Done, record: dict[str, Json]) -> None:
        found = dict(done.outputs)
        for output in step.outputs:
            value = selected(done.answer, output.selector) if output.selector else found.get(output.name)
            found[output.name] = typed(value, output.type, f"{step.name}.{output.name}")
        self._outputs.update({f"{step.name}.{name}": value for name, value in found.items()})
        record["Outputs"] = {name: as_strings(value) for name, value in found.items()}
        record["ResponseCode"] = "0"
        record["Response"] = json.dumps(done.answer)[:_MOST_TEXT]

    def _kept(self, document: Document) -> Mapping[str, list[str]]:
        return {name: as_strings(self._outputs[name]) for name in document.outputs if name in self._outputs}

    def _set_deadline(self, step: Step) -> None:
        if step.timeout_s is None:
            self._deadline = None
        else:
            lasts = self.pace.seconds(step.timeout_s) if step.action in WAITS else step.timeout_s
            self._deadline = self.began + lasts

    def _check(self) -> None:
        if self._closing.is_set():
            raise _Closing
        if self._cancellation_ends is not None and time.time() >= self._cancellation_ends:
            raise SystemFault(f"a cancelled execution has {CANCELLATION_S:.0f} s for what it does then")
        if self._cancelled.is_set() and self._failure != ("Cancelled", ""):
            raise _Cancelled
        if self._deadline is not None and time.time() >= self._deadline:
            raise _TimedOut

    def _tell_step(self, record: Mapping[str, Json], action: str) -> None:
        steps, self._ended_steps = [*self._ended_steps, dict(record)], []
        self._tell(steps=steps, CurrentStepName=record["StepName"], CurrentAction=action)

    def _end(self, status: str, message: str, outputs: Mapping[str, list[str]] | None = None) -> None:
        steps, self._ended_steps = self._ended_steps, []
        more = {"FailureMessage": message} if message else {}
        self._tell(steps=steps, status=status, Outputs=dict(outputs or {}), **more)

    def _tell(self, **data: Json) -> Json:
        """To the API, until it is taken: what happened must not be lost because the control plane starts anew."""
        while True:
            try:
                return self._ground.api.report("ssm.execution", self._region, id=self._id, **data)
            except SystemFault:
                if self._closing.wait(_TRY_AGAIN_S):
                    raise _Closing from None
