"""Does the steps of the table: each is one change in one region, and may be repeated without harm.

None of them decides whether it should be done, and none asks the other region anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.core.errors import Refused, SystemFault
from bicoastal.operate import kit
from bicoastal.operate.observe import APPLICATION, GATE, LISTENER, RULE
from bicoastal.operate.sight import Gate, Side
from bicoastal.operate.subject import Subject
from bicoastal.stacks.changes import Desired, Proposal, discard, execute, propose
from bicoastal.stacks.view import StackView, view
from bicoastal.stacks.watch import StackFailed, last_event, settle

INSTANCE_TYPE = "AWS::RDS::DBInstance"
SOURCE = "SourceDBInstanceIdentifier"
PROMOTION_S = 3600.0
"""RDS says minutes; a large database may take longer to replay and restart."""
KIT_S = 300.0
"""Until an instance's kit reaches the new primary again."""
Note = Callable[[str], None]


@dataclass(frozen=True)
class Acts:
    """The steps, for one operation in one region."""

    session: Session
    subject: Subject
    region: str
    note: Note

    def set_gate(self, here: Side, gate: Gate) -> None:
        """Send what no rule takes to the application, or to the gate that answers 503."""
        groups = {here.resources[APPLICATION]: gate is Gate.OPEN, here.resources[GATE]: gate is Gate.CLOSED}
        forward = {"TargetGroups": [{"TargetGroupArn": arn, "Weight": int(on)} for arn, on in groups.items()]}
        with aws_faults(f"setting the read gate in {self.region}"):
            self.session.client("elbv2", self.region).modify_listener(
                ListenerArn=here.resources[LISTENER],
                DefaultActions=[{"Type": "forward", "ForwardConfig": forward}],
            )

    def set_switch(self, here: Side, body: str) -> None:
        """Have the balancer answer this at the switch's path."""
        answer = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": body}
        with aws_faults(f"setting the switch in {self.region}"):
            self.session.client("elbv2", self.region).modify_rule(
                RuleArn=here.resources[RULE],
                Actions=[{"Type": "fixed-response", "FixedResponseConfig": answer}],
            )

    def promote(self, here: Side) -> None:
        """Promote by the database's stack: the change set is read before it runs.

        Raises Refused where it would change anything but what the replica follows; SystemFault where the promotion
        fails.
        """
        stack = here.stacks["database"]
        proposal = propose(self.session, Desired.moved(stack, DatabaseRole="primary"), stack)
        if proposal.empty:
            raise SystemFault(
                f"{stack.name} in {self.region} says that it is the primary, and its instance follows another one.\n"
                "    -> Look for a change past CloudFormation: `bicoastal status --drift`."
            )
        try:
            _only_promotes(proposal)
        except Refused:
            discard(self.session, proposal)
            raise
        before = last_event(self.session, stack.name, self.region)
        execute(self.session, proposal, disable_rollback=True)
        self._settled(stack, before)

    def await_promotion(self, here: Side) -> None:
        """See a promotion to its end that another run began, the instance's own restart included."""
        self._settled(here.stacks["database"], "")
        identifier = here.instance.identifier if here.instance is not None else ""
        client = self.session.client("rds", self.region)
        for _ in Waiter(PROMOTION_S, f"waiting for {identifier} in {self.region} to be available"):
            with aws_faults(f"describing the database {identifier} in {self.region}"):
                (found,) = client.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
            if found["DBInstanceStatus"] == "available":
                return

    def raise_epoch(self, here: Side, epoch: int) -> None:
        """Have the kit write the epoch and lift the fence, as soon as it reaches the new primary."""
        self._insist(here, f"raising the epoch in {self.region}", "unfence", {"Epoch": str(epoch)})

    def prove_writes(self, here: Side) -> float:
        """Have the kit write a row as the application does; returns the seconds that it took."""
        return float(self._insist(here, f"writing a row in {self.region}", "probe").get("seconds", 0.0))

    def record(self, here: Side) -> None:
        """Have the stacks say what is: the switch, the gate, and that the backup is of the primary here."""
        self._move(here.stacks.get("service"), Switch=here.switch, ReadGate=str(here.gate))
        self._move(here.stacks.get("backup"), DatabaseRole="primary")

    def grow_fleet(self, here: Side) -> str:
        """Ask for twice the fleet, within its maximum: the other region's users are coming. Returns what was asked."""
        fleet = here.fleet
        if fleet is None:
            return ""
        wanted = min(fleet.most, 2 * fleet.desired)
        if wanted <= fleet.desired:
            return f"{fleet.name} has {fleet.desired} instances, its maximum is {fleet.most}"
        with aws_faults(f"growing the fleet in {self.region}"):
            self.session.client("autoscaling", self.region).update_auto_scaling_group(
                AutoScalingGroupName=fleet.name, DesiredCapacity=wanted
            )
        return f"{fleet.name} grows from {fleet.desired} to {wanted} instances"

    def _insist(
        self, here: Side, doing: str, verb: str, parameters: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Run a verb of the kit until it works: a primary that has just been promoted may not take connections yet."""
        instances = here.fleet.in_service if here.fleet is not None else ()
        said = ""
        try:
            for _ in Waiter(KIT_S, doing):
                try:
                    return kit.run_verb(self.session, self.subject, self.region, instances, verb, parameters=parameters)
                except (Refused, SystemFault) as error:
                    said = str(error).splitlines()[0]
        except SystemFault as late:
            raise SystemFault(f"{str(late).splitlines()[0]} {said}\n    -> Run the same command again.") from late
        raise AssertionError("a waiter ends by its deadline")

    def _move(self, stack: StackView | None, **parameters: str) -> None:
        """Change parameters of a stack and see it through; nothing where they are so already."""
        if stack is None or all(stack.parameters.get(name) == value for name, value in parameters.items()):
            return
        proposal = propose(self.session, Desired.moved(stack, **parameters), stack)
        if proposal.empty:
            return
        before = last_event(self.session, stack.name, self.region)
        execute(self.session, proposal)
        self._settled(stack, before)

    def _settled(self, stack: StackView, before: str) -> None:
        now, events = settle(self.session, stack.name, self.region, after=before)
        if now is None or not now.good:
            raise StackFailed(
                now or view(self.session, stack.id, self.region) or stack,
                events,
                "Nothing was rolled back. Mend what its first failure names, then run the same command again.",
            )


def _only_promotes(proposal: Proposal) -> None:
    """One resource, one property, and nothing that would certainly replace it (D2). Raises Refused that names it."""
    wrong = []
    for change in proposal.changes:
        if change.type != INSTANCE_TYPE or change.action != "Modify":
            wrong.append(f"{change.logical_id} ({change.type}) would be changed, too: {change.action}")
            continue
        for item in change.properties:
            if item.name != SOURCE:
                wrong.append(f"{change.logical_id}.{item.name} would be changed, too")
            elif item.recreation == "Always":
                wrong.append(f"{change.logical_id}.{item.name} would replace the database")
        if change.replacement == "True":
            wrong.append(f"{change.logical_id} would be replaced")
    if wrong:
        raise Refused(
            "The change that should promote the replica would do more:\n  "
            + "\n  ".join(wrong)
            + "\nNothing was promoted.\n    -> Bring the stack in line with its template first: `bicoastal status "
            "--drift` shows what differs."
        )


def pause(seconds: float, until: Callable[[], bool], look_s: float) -> None:
    """Wait so long, or until it is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        time.sleep(min(look_s, max(end - time.monotonic(), 0.0)))
