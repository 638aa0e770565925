"""The failover inside a region: the primary moves to its Multi-AZ standby, by the deployment's own automation document.

No acknowledged write is lost, and neither role nor epoch changes: it is a reboot in another Availability Zone.
"""

from __future__ import annotations

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.core.errors import Refused, SystemFault
from bicoastal.operate.journal import Journal
from bicoastal.operate.observe import observe_side
from bicoastal.operate.sight import Instance
from bicoastal.operate.subject import Subject
from bicoastal.operate.walk import Tell

DEADLINE_S = 1800.0
"""The document's own waits end earlier; RDS says 60 to 120 seconds."""
_RUNNING = frozenset({"Pending", "InProgress", "Waiting", "Cancelling"})


def fail_over_in_region(session: Session, subject: Subject, region: str, journal: Journal, tell: Tell) -> Instance:
    """Move the region's database to its standby; returns it as it is then. Raises Refused as below."""
    before = movable(session, subject, region)
    journal.write("begins", step="in-region failover", identifier=before.identifier, zone=before.zone)
    tell(f"{before.identifier} leaves {before.zone}")
    with aws_faults(f"starting the failover of {before.identifier} in {region}"):
        execution = session.client("ssm", region).start_automation_execution(
            DocumentName=subject.document("in-region-failover"), Parameters={"DatabaseId": [before.identifier]}
        )["AutomationExecutionId"]
    _follow(session, region, execution, tell)
    after = _instance(session, subject, region)
    journal.write("done", step="in-region failover", zone=after.zone)
    return after


def movable(session: Session, subject: Subject, region: str) -> Instance:
    """The region's database, which has a standby and can be moved to it now. Raises Refused where it has none."""
    found = _instance(session, subject, region)
    if not found.multi_az:
        raise Refused(f"{found.identifier} in {region} has no standby: it is not Multi-AZ. Nothing was changed.")
    if found.status != "available":
        raise Refused(
            f"{found.identifier} in {region} is {found.status}; RDS moves an available one. Nothing was changed.\n"
            "    -> Wait until it is available, then run the same command again."
        )
    return found


def _instance(session: Session, subject: Subject, region: str) -> Instance:
    found = observe_side(session, subject, region, kinds=("database",), kit_too=False).instance
    if found is None:
        raise Refused(f"{subject.prefix} has no database in {region}.\n    -> `bicoastal deploy` makes it.")
    return found


def _follow(session: Session, region: str, execution: str, tell: Tell) -> None:
    told = ""
    for _ in Waiter(DEADLINE_S, f"waiting for the automation {execution} in {region}"):
        with aws_faults(f"following the automation {execution} in {region}"):
            now = session.client("ssm", region).get_automation_execution(AutomationExecutionId=execution)[
                "AutomationExecution"
            ]
        step = str(now.get("CurrentStepName") or "")
        if step and step != told:
            tell(step)
            told = step
        if now["AutomationExecutionStatus"] not in _RUNNING:
            break
    if now["AutomationExecutionStatus"] != "Success":
        raise SystemFault(
            f"The failover in {region} ended as {now['AutomationExecutionStatus']}: "
            f"{now.get('FailureMessage') or 'no reason was given'}\n"
            f"    -> `aws ssm get-automation-execution --automation-execution-id {execution} --region {region}`"
        )
