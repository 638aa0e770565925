"""Prepares the database and runs the release command, by the bootstrap's document in the primary's region (D8).

Before the servers of that version start: a schema that is not there yet would fail them. The document's last successful
execution is the memory: one that began after the bootstrap's stack, or a role's password, was last changed covers what
is deployed.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from bicoastal.aws.faults import UNKNOWN_ACTION, ApiFault, aws_faults
from bicoastal.aws.waiting import Waiter
from bicoastal.cfn.manifest import Literal, Live, StackEntry
from bicoastal.core.errors import SystemFault
from bicoastal.deploy.graph import NotDone
from bicoastal.deploy.moments import End
from bicoastal.deploy.package import Package
from bicoastal.deploy.run import Run, Step
from bicoastal.deploy.steps.rotation import BOOTSTRAPPED, changed_at
from bicoastal.deploy.survey import Views

NAME = "database prepared"
DEADLINE_S = 4500.0
"""The document gives up after 65 minutes and then terminates its instance."""
ROLE = "DatabaseRole"
_DOCUMENT = "BootstrapDocument"
_RUNNING = frozenset({"Pending", "InProgress", "Waiting", "Cancelling", "Scheduled", "RunbookInProgress"})
_ABSENT = frozenset({"AutomationDefinitionNotFoundException", "InvalidDocument"})


def primary_region(package: Package, views: Views) -> str:
    """Where the database is written: as the stacks say, or as they will be created."""
    for entry in package.entries("database"):
        stack, source = views.get(entry.id), entry.parameters.get(ROLE)
        initial = source.initial if isinstance(source, Live) else source
        value = stack.parameters.get(ROLE) if stack is not None and stack.exists else None
        if (value or (initial.value if isinstance(initial, Literal) else "")) == "primary":
            return entry.region
    return package.home


def prepared_database(package: Package, views: Views) -> list[Step]:
    """One step, where there is a bootstrap: after the primary and its bootstrap, before every fleet."""
    region = primary_region(package, views)
    mine = [entry for entry in package.entries("bootstrap") if entry.region == region]
    if not mine:
        return []
    after = (*mine, *(entry for entry in package.entries("database") if entry.region == region))
    return [Step(NAME, after, package.entries("service"), lambda run: _prepare(run, mine[0]))]


def _prepare(run: Run, entry: StackEntry) -> End:
    stack = run.done(entry)
    document = stack.outputs[_DOCUMENT]
    try:
        since = [moment for moment in (stack.changed_at, changed_at(run, BOOTSTRAPPED)) if moment is not None]
        execution = _latest(run, entry.region, document, max(since, default=None))
        if execution and execution["AutomationExecutionStatus"] == "Success":
            return End.UNCHANGED
        if execution and execution["AutomationExecutionStatus"] in _RUNNING:
            run.begin(NAME, f"following {document} in {entry.region}, which runs already")
            name = execution["AutomationExecutionId"]
        else:
            run.begin(NAME, f"running {document} in {entry.region}")
            name = _start(run, entry.region, document)
        _follow(run, entry.region, document, name)
    except ApiFault as fault:
        if fault.code in UNKNOWN_ACTION | _ABSENT:
            raise NotDone(
                f"{NAME}: not done: {entry.region} cannot run the document {document} ({fault.code}). The database has "
                "no roles and no schema of yours yet, and the release command has not run.\n"
                f"    -> When it can, run `bicoastal deploy` again: it does what is left."
            ) from fault
        raise
    return End.DONE


def _latest(run: Run, region: str, document: str, since: datetime | None) -> dict[str, Any] | None:
    """The newest execution that covers what is deployed."""
    with aws_faults(f"asking for executions of {document} in {region}"):
        pages = (
            run.session.client("ssm", region)
            .get_paginator("describe_automation_executions")
            .paginate(Filters=[{"Key": "DocumentNamePrefix", "Values": [document]}])
        )
        found: list[dict[str, Any]] = [
            item
            for page in pages
            for item in page["AutomationExecutionMetadataList"]
            if item.get("DocumentName") == document
        ]
    covering = [item for item in found if since is None or item["ExecutionStartTime"] >= since]
    return max(covering, key=lambda item: item["ExecutionStartTime"], default=None)


def _start(run: Run, region: str, document: str) -> str:
    with aws_faults(f"starting {document} in {region}"):
        answer = run.session.client("ssm", region).start_automation_execution(
            DocumentName=document, ClientToken=str(uuid.uuid4())
        )
    return str(answer["AutomationExecutionId"])


def _follow(run: Run, region: str, document: str, name: str) -> None:
    client, told = run.session.client("ssm", region), ""
    for _ in Waiter(DEADLINE_S, f"waiting for {document} ({name}) in {region}"):
        with aws_faults(f"following {document} in {region}"):
            execution = client.get_automation_execution(AutomationExecutionId=name)["AutomationExecution"]
        step = str(execution.get("CurrentStepName") or "")
        if step and step != told:
            run.note(NAME, f"{document}: {step}")
            told = step
        if execution["AutomationExecutionStatus"] not in _RUNNING:
            break
    if execution["AutomationExecutionStatus"] != "Success":
        raise SystemFault(
            f"{NAME}: {document} ({name}) in {region} ended as {execution['AutomationExecutionStatus']}: "
            f"{execution.get('FailureMessage') or 'no reason was given'}\n"
            "    -> Its instance's log is in the object `bootstrap/<instance>/outcome` of the artifact bucket. Mend it "
            "and run `bicoastal deploy` again: no server of the new version was started."
        )
