"""Emergency access: an instance of the fleet, open to responders for some minutes (M8, D17).

Nothing is granted from here. The deployment's own document sets the tag that a responder's permission depends on,
and takes it away with every session that was opened, whether or not whoever asked is still there; this module asks for
it, waits until it is so, and reads what is open. `close` starts the other document, the way that responders may take:
they may not stop the first one. Both regions are looked at, and the one that does not answer is never waited for.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bicoastal.aws.faults import DENIED, ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.blueprint.access.break_glass import REASON_PATTERN, choices_of_minutes
from bicoastal.blueprint.emergency_tag import EMERGENCY_TAG
from bicoastal.core.errors import BicoastalError, Refused, SystemFault
from bicoastal.operate import beside
from bicoastal.operate.subject import Subject
from bicoastal.operate.walk import Tell

OPEN_S, CLOSE_S = 180.0, 300.0
"""Deadlines for the tag to be there, and for the closing document to end: scripts take seconds, their tries more."""
OPENING, CLOSING, SESSION = "open-access", "close-access", "emergency-session"
"""Names of the documents, after the deployment's."""
_STAYS_OPEN = "StayOpen"
"""The step of the opening document that lasts as long as the access."""
_RUNNING = frozenset({"Pending", "InProgress", "Waiting", "Cancelling"})
_THERE = ["pending", "running", "stopping", "stopped"]
_EXECUTION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Json = Any


@dataclass(frozen=True)
class Armed:
    """An instance that is open, as its region's API tells of it. What is empty or None is not known."""

    region: str
    instance: str
    execution: str = ""
    """Of the document: the record of who asked for it, when and why."""
    who: str = ""
    """ARN of who started it."""
    reason: str = ""
    minutes: int | None = None
    until: datetime | None = None
    """When it ends by itself."""
    sessions: int | None = None
    """Open now."""
    trouble: str = ""
    """Why something is not known, or does not go by itself."""

    @property
    def left_s(self) -> float | None:
        """Seconds until then, by this machine's clock."""
        return None if self.until is None else self.until.timestamp() - time.time()


@dataclass(frozen=True)
class Closed:
    """An instance that was closed early."""

    region: str
    instance: str
    execution: str
    sessions: int | None
    """Ended with it."""


@dataclass(frozen=True)
class Look:
    """What is open in a region."""

    armed: tuple[Armed, ...] | None
    """None: the region did not say."""
    why: str = ""


def minutes_allowed(minutes: int, maximum: int) -> None:
    """Raise Refused for a time that no document takes whose longest is `maximum` minutes."""
    if minutes > maximum:
        raise Refused(
            f"{minutes} minutes are more than the {maximum} that the file allows (emergency.max_minutes). Nothing was "
            "opened.\n    -> Ask for less; it can be opened anew on the instance that takes its place."
        )
    choices = choices_of_minutes(maximum)
    if str(minutes) not in choices:
        raise Refused(
            f"{minutes} minutes are none of the times that can be asked for. Nothing was opened.\n"
            f"    -> One of {', '.join(choices)} minutes."
        )


def reason_given(reason: str) -> None:
    """Raise Refused for what the document does not take as a reason."""
    if not reason.strip():
        raise Refused(
            "Emergency access needs a reason: it is recorded with who asked. Nothing was opened.\n"
            '    -> --reason "INC-42: requests hang"'
        )
    if not re.search(REASON_PATTERN, reason):
        raise Refused(
            f"{reason!r} cannot be recorded as the reason. Nothing was opened.\n"
            "    -> 10 to 200 letters, digits, spaces and .,:/#@+_- : an incident's number and a few words."
        )


def open_access(  # noqa: PLR0917 - where, what, how long and why
    session: Session, subject: Subject, instance: str, minutes: int, reason: str, tell: Tell
) -> Armed:
    """Open an instance; returns it as it is then. Raises Refused, with nothing opened, and SystemFault."""
    reason_given(reason)
    region, found = _find(session, subject, instance)
    _of_the_fleet(session, subject, region, found)
    if _tag(found):
        armed = _armed(session, region, found)
        raise Refused(
            f"{instance} in {region} is open already, {until_text(armed)}{f', by {armed.who}' if armed.who else ''}"
            f"{f': {armed.reason}' if armed.reason else '.'}\n"
            f"    -> {session_line(subject, armed)}, or `bicoastal access close {instance}`."
        )
    given = {"InstanceId": [instance], "Minutes": [str(minutes)], "Reason": [reason]}
    execution = _start(session, subject, region, OPENING, given)
    tell(f"{subject.document(OPENING)} runs in {region}: {execution}")
    said = ""
    for _ in Waiter(OPEN_S, f"waiting for {instance} in {region} to be open"):
        record = _execution(session, region, execution)
        said = _tell_step(record, said, tell)
        now = _describe(session, region, [{"Name": "instance-id", "Values": [instance]}])
        if now and _tag(now[0]) == execution:
            return _armed(session, region, now[0])
        if record["AutomationExecutionStatus"] not in _RUNNING:
            raise SystemFault(f"{instance} in {region} was not opened: {_how_it_ended(region, record)}")
    raise AssertionError("a waiter ends by its deadline")


def close_access(session: Session, subject: Subject, instance: str, tell: Tell) -> Closed:
    """Close an open instance now, as responders may. Raises Refused for one that is not open, and SystemFault."""
    region, found = _find(session, subject, instance)
    _of_the_application(session, subject, region, found)
    if not _tag(found):
        raise Refused(f"{instance} in {region} is not open. Nothing was done.")
    sessions = _sessions(session, region, instance)
    execution = _start(session, subject, region, CLOSING, {"InstanceId": [instance]})
    tell(f"{subject.document(CLOSING)} runs in {region}: {execution}")
    said = ""
    for _ in Waiter(CLOSE_S, f"waiting for {subject.document(CLOSING)} to close {instance} in {region}"):
        record = _execution(session, region, execution)
        said = _tell_step(record, said, tell)
        if record["AutomationExecutionStatus"] not in _RUNNING:
            break
    now = _describe(session, region, [{"Name": "instance-id", "Values": [instance]}])
    still = bool(now) and bool(_tag(now[0]))
    if still or record["AutomationExecutionStatus"] != "Success":
        text = "is STILL OPEN" if still else "is closed, but not all that belongs to it was done"
        raise SystemFault(f"{instance} in {region} {text}: {_how_it_ended(region, record)}")
    return Closed(region, instance, execution, sessions)


def look(session: Session, subject: Subject) -> Mapping[str, Look]:
    """What is open in both regions. Never raises for one that does not answer."""
    begun = time.monotonic()
    answers = beside.in_time(
        {region: lambda region=region: armed_in(session, subject, region) for region in subject.regions}  # type: ignore[misc]
    )
    silent = f"it has not answered within {time.monotonic() - begun:.1f} s"
    return {
        region: Look(None, silent)
        if region not in answers
        else Look(None, str(answer).splitlines()[0])
        if isinstance(answer := answers[region], BicoastalError)
        else Look(answer)
        for region in subject.regions
    }


def armed_in(session: Session, subject: Subject, region: str) -> tuple[Armed, ...]:
    """What is open in a region. Raises SystemFault where it does not answer."""
    found = _describe(session, region, [*_ours(subject), {"Name": "tag-key", "Values": [EMERGENCY_TAG]}])
    return tuple(_armed(session, region, item) for item in found if item["State"]["Name"] in _THERE)


def session_line(subject: Subject, armed: Armed) -> str:
    """What a responder types to get in."""
    return (
        f"aws ssm start-session --target {armed.instance} --document-name {subject.document(SESSION)} "
        f"--region {armed.region}"
    )


def until_text(armed: Armed) -> str:
    """Until when, and how long that still is: `until 14:30:00 UTC (29 min left)`."""
    left = armed.left_s
    if armed.until is None or left is None:
        return "nobody knows until when"
    span = f"{left / 60:.0f} min left" if left >= 120 else f"{left:.0f} s left" if left >= 0 else "it should be over"
    return f"until {armed.until:%H:%M:%S} UTC ({span})"


# Which instance.


def _find(session: Session, subject: Subject, instance: str) -> tuple[str, Json]:
    """The region and the record of an instance. Raises Refused where no region has it; SystemFault where one is silent.

    One that has it is enough: what the other region says, or does not, is then of no interest.
    """
    wanted = [{"Name": "instance-id", "Values": [instance]}]
    answers = beside.in_time(
        {region: lambda region=region: _describe(session, region, wanted) for region in subject.regions},  # type: ignore[misc]
        enough=lambda found: any(isinstance(answer, list) and answer for answer in found.values()),
    )
    for region in subject.regions:
        if isinstance(found := answers.get(region), list) and found:
            return region, found[0]
    for region in subject.regions:
        if isinstance(fault := answers.get(region), BicoastalError):
            with _denials(subject, region):
                raise fault
        if region not in answers:
            raise SystemFault(
                f"{instance} is not known where an answer came from, and {region} does not answer: nothing was done.\n"
                "    -> Run the same command again; while its API is down, nothing in that region can be opened."
            )
    raise Refused(
        f"There is no instance {instance} in {' or '.join(subject.regions)}. Nothing was done.\n"
        f"    -> {_candidates(session, subject)}"
    )


def _candidates(session: Session, subject: Subject) -> str:
    found = beside.in_time(
        {region: lambda region=region: _fleet(session, subject, region) for region in subject.regions}  # type: ignore[misc]
    )
    lines = [f"in {region}: {', '.join(ids)}" for region, ids in found.items() if isinstance(ids, list) and ids]
    return f"The fleet is, {'; '.join(lines)}." if lines else f"{subject.prefix} has no running instance."


def _fleet(session: Session, subject: Subject, region: str) -> list[str]:
    more = [
        {"Name": "tag-key", "Values": ["aws:autoscaling:groupName"]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]
    return sorted(item["InstanceId"] for item in _describe(session, region, [*_ours(subject), *more]))


def _of_the_application(session: Session, subject: Subject, region: str, found: Json) -> None:
    tags = _tags(found)
    if (tags.get("application"), tags.get("environment")) != (subject.application, subject.environment):
        whose = tags.get("application") and f", but of {tags['application']} ({tags.get('environment', 'untagged')})"
        raise Refused(
            f"{found['InstanceId']} in {region} is no instance of {subject.prefix}{whose or ''}. Nothing was done.\n"
            f"    -> {_candidates(session, subject)}"
        )


def _of_the_fleet(session: Session, subject: Subject, region: str, found: Json) -> None:
    _of_the_application(session, subject, region, found)
    name, state = found["InstanceId"], found["State"]["Name"]
    if "aws:autoscaling:groupName" not in _tags(found):
        raise Refused(
            f"{name} in {region} is {subject.prefix}'s, but not of its fleet: it could not be replaced afterwards. "
            f"Nothing was opened.\n    -> {_candidates(session, subject)}"
        )
    if state != "running":
        raise Refused(f"{name} in {region} is {state}. Nothing was opened.\n    -> {_candidates(session, subject)}")


def _ours(subject: Subject) -> list[Json]:
    return [
        {"Name": "tag:application", "Values": [subject.application]},
        {"Name": "tag:environment", "Values": [subject.environment]},
    ]


def _describe(session: Session, region: str, filters: list[Json]) -> list[Json]:
    with aws_faults(f"looking for instances in {region}"):
        pages = session.client("ec2", region).get_paginator("describe_instances").paginate(Filters=filters)
        return [item for page in pages for group in page["Reservations"] for item in group["Instances"]]


def _tags(found: Json) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}


def _tag(found: Json) -> str:
    return _tags(found).get(EMERGENCY_TAG, "")


# What the documents do and did.


def _start(session: Session, subject: Subject, region: str, document: str, given: Mapping[str, list[str]]) -> str:
    name, instance = subject.document(document), given["InstanceId"][0]
    try:
        with _denials(subject, region), aws_faults(f"starting {name} for {instance} in {region}"):
            # The token: an answer that is lost on the way, and asked for again, must not start a second one.
            started = session.client("ssm", region).start_automation_execution(
                DocumentName=name, Parameters=given, ClientToken=str(uuid.uuid4())
            )
    except ApiFault as fault:
        if fault.code == "AutomationDefinitionNotFoundException":
            raise Refused(
                f"{region} has no document {name}: {subject.prefix} is not deployed there.\n    -> `bicoastal deploy`"
            ) from fault
        if fault.code == "InvalidAutomationExecutionParametersException":
            raise Refused(
                f"{name}, as it is deployed in {region}, does not take this: {_without_remedy(fault)}\n"
                "    -> It is not what the file says: `bicoastal plan` shows the difference."
            ) from fault
        raise
    return str(started["AutomationExecutionId"])


def _execution(session: Session, region: str, execution: str) -> Json:
    with aws_faults(f"following the execution {execution} in {region}"):
        return session.client("ssm", region).get_automation_execution(AutomationExecutionId=execution)[
            "AutomationExecution"
        ]


def _tell_step(record: Json, said: str, tell: Tell) -> str:
    step = str(record.get("CurrentStepName") or "")
    if step and step != said:
        tell(step)
    return step or said


def _how_it_ended(region: str, record: Json) -> str:
    failed = [step["StepName"] for step in record.get("StepExecutions", ()) if step["StepStatus"] == "Failed"]
    return (
        f"{record['DocumentName']} ended as {record['AutomationExecutionStatus']}"
        f"{f' at {failed[0]}' if failed else ''}: {record.get('FailureMessage') or 'no reason was given'}\n"
        f"    -> aws ssm get-automation-execution --automation-execution-id {record['AutomationExecutionId']} "
        f"--region {region}"
    )


def _armed(session: Session, region: str, found: Json) -> Armed:
    instance, execution = found["InstanceId"], _tag(found)
    sessions = _sessions(session, region, instance)
    if not _EXECUTION.fullmatch(execution):
        return Armed(
            region, instance, sessions=sessions, trouble=f"it was tagged {execution!r} by hand: nothing closes it"
        )
    try:
        record = _execution(session, region, execution)
    except BicoastalError as error:
        return Armed(region, instance, execution, sessions=sessions, trouble=str(error).splitlines()[0])
    given = {name: values[0] for name, values in record.get("Parameters", {}).items()}
    steps = {step["StepName"]: step for step in record.get("StepExecutions", ())}
    begun = steps.get(_STAYS_OPEN, {}).get("ExecutionStartTime") or record["ExecutionStartTime"]
    status = record["AutomationExecutionStatus"]
    minutes = int(given.get("Minutes", 0))
    return Armed(
        region,
        instance,
        execution,
        str(record.get("ExecutedBy", "")),
        given.get("Reason", ""),
        minutes,
        (begun + timedelta(minutes=minutes)).astimezone(UTC),
        sessions,
        "" if status in _RUNNING else f"its document ended as {status}: a schedule closes it two minutes later",
    )


def _sessions(session: Session, region: str, instance: str) -> int | None:
    """How many are open; None where it is not told."""
    try:
        with aws_faults(f"looking for sessions with {instance} in {region}"):
            pages = session.client("ssm", region).get_paginator("describe_sessions")
            found = pages.paginate(State="Active", Filters=[{"key": "Target", "value": instance}])
            return sum(len(page["Sessions"]) for page in found)
    except BicoastalError:
        return None


@contextmanager
def _denials(subject: Subject, region: str) -> Iterator[None]:
    """Say which role is meant where AWS says that these credentials may not."""
    try:
        yield
    except ApiFault as fault:
        if fault.code not in DENIED:
            raise
        raise Refused(
            f"{_without_remedy(fault)}\n    -> Assume {subject.prefix}-emergency-responder-{region}, with MFA: a "
            "profile with its role_arn and your mfa_serial does that (docs/access.md)."
        ) from fault


def _without_remedy(fault: ApiFault) -> str:
    return str(fault).split("\n    -> ", maxsplit=1)[0]
