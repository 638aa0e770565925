"""Does single changes, each in one region, each of which may be repeated without harm.

None of them decides whether it should be done.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.core.errors import BicoastalError, Refused, SystemFault
from bicoastal.operate import beside, kit
from bicoastal.operate.observe import APPLICATION, GATE, LISTENER, RULE, fleet_of, instance_of
from bicoastal.operate.sight import Fleet, Gate, Side
from bicoastal.operate.subject import Subject
from bicoastal.stacks.changes import Desired, Proposal, discard, execute, propose
from bicoastal.stacks.recovery import make_ready
from bicoastal.stacks.view import Condition, StackView, view
from bicoastal.stacks.watch import StackFailed, last_event, operation, settle

INSTANCE_TYPE = "AWS::RDS::DBInstance"
SOURCE = "SourceDBInstanceIdentifier"
PROMOTION_S = 3600.0
"""RDS says minutes; a large database may take longer to replay and restart."""
KIT_S = 300.0
"""Until an instance's kit reaches the new primary again."""
_LOOK_S = 0.05
_AGAIN = "Mend what its first failure names, then run the same command again: it goes on from there."
_MEND = f"Nothing was rolled back. {_AGAIN}"
Note = Callable[[str], None]


@dataclass(frozen=True)
class Acts:
    """The changes, for one operation. `region` is the one that acts; a side that is given may be the other."""

    session: Session
    subject: Subject
    region: str
    note: Note

    # The balancer and the fleet.

    def set_gate(self, side: Side, gate: Gate) -> None:
        """Send what no rule takes to the application, or to the gate that answers 503."""
        groups = {side.resources[APPLICATION]: gate is Gate.OPEN, side.resources[GATE]: gate is Gate.CLOSED}
        forward = {"TargetGroups": [{"TargetGroupArn": arn, "Weight": int(on)} for arn, on in groups.items()]}
        with aws_faults(f"setting the read gate in {side.region}"):
            self.session.client("elbv2", side.region).modify_listener(
                ListenerArn=side.resources[LISTENER],
                DefaultActions=[{"Type": "forward", "ForwardConfig": forward}],
            )

    def set_switch(self, side: Side, body: str) -> None:
        """Have the balancer answer this at the switch's path."""
        answer = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": body}
        with aws_faults(f"setting the switch in {side.region}"):
            self.session.client("elbv2", side.region).modify_rule(
                RuleArn=side.resources[RULE],
                Actions=[{"Type": "fixed-response", "FixedResponseConfig": answer}],
            )

    def grow_fleet(self, side: Side) -> str:
        """Ask for twice the fleet, within its maximum: the other region's users are coming. Returns what was asked."""
        fleet = side.fleet
        if fleet is None:
            return ""
        wanted = min(fleet.most, 2 * fleet.desired)
        if wanted <= fleet.desired:
            return f"{fleet.name} has {fleet.desired} instances, its maximum is {fleet.most}"
        with aws_faults(f"growing the fleet in {side.region}"):
            self.session.client("autoscaling", side.region).update_auto_scaling_group(
                AutoScalingGroupName=fleet.name, DesiredCapacity=wanted
            )
        return f"{fleet.name} grows from {fleet.desired} to {wanted} instances"

    # The promotion.

    def prepare_promotion(self, here: Side) -> Proposal:
        """The change set that promotes, read (D2). Raises Refused where it would change anything but what is followed.

        A stack that an earlier attempt left failed is asked for the same again.
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
        return proposal

    def promote(self, proposal: Proposal) -> None:
        """Begin what was prepared. Nothing rolls back: a rollback would ask for what RDS cannot do (D2)."""
        execute(self.session, proposal, disable_rollback=True)

    def await_promotion(self, here: Side) -> None:
        """Until the instance stands alone, whoever promotes it. Raises StackFailed where CloudFormation gave up."""
        stack = here.stacks["database"]
        identifier = here.instance.identifier if here.instance is not None else ""
        for _ in Waiter(PROMOTION_S, f"waiting for {identifier} in {self.region} to stand alone", first_s=_LOOK_S):
            found = instance_of(self.session, identifier, self.region)
            if found is not None and not found.source:
                return
            now = view(self.session, stack.name, self.region)
            if now is not None and now.condition is not Condition.BUSY and not now.good:
                raise StackFailed(now, operation(self.session, stack.name, self.region), _MEND)

    def raise_epoch(self, here: Side, epoch: int) -> Mapping[str, Any]:
        """Have the kit write the epoch, lift the fence and write a row, as soon as it reaches the new primary."""
        return self.insist(here.region, f"raising the epoch in {here.region}", "unfence", {"Epoch": str(epoch)})

    def raise_epoch_when_promoted(self, here: Side, epoch: int) -> Callable[[], bool]:
        """Ask the kit now, while the promotion goes on: it waits for the end of it for a moment.

        Returns what waits for its answer, and says whether it was done. A promotion that takes longer is awaited first.
        """
        instances = here.fleet.in_service[:2] if here.fleet is not None else ()
        parameters = {"Epoch": str(epoch)}
        asked = beside.begun(
            "raise the epoch",
            lambda: kit.run_verb(self.session, self.subject, here.region, instances, "unfence", parameters=parameters),
        )

        def answered() -> bool:
            with contextlib.suppress(BicoastalError):
                asked()
                return True
            return False

        return answered

    def prove_writes(self, here: Side) -> float:
        """Have the kit write a row as the application does; returns the seconds that it took."""
        return float(self.insist(here.region, f"writing a row in {here.region}", "probe").get("seconds", 0.0))

    def insist(
        self,
        region: str,
        doing: str,
        verb: str,
        parameters: Mapping[str, str] | None = None,
        *,
        within_s: float = KIT_S,
        known: Fleet | None = None,
    ) -> Mapping[str, Any]:
        """Run a verb of the kit until it works: a primary that has just been promoted may not take connections yet.

        The fleet is looked up each time, for instances come and go; at first it is what is known of it, where anything
        is. Raises SystemFault with what was said last.
        """
        said = ""
        try:
            for _ in Waiter(within_s, doing):
                try:
                    fleet, known = known or fleet_of(self.session, self.subject, region), None
                    instances = fleet.in_service if fleet is not None else ()
                    return kit.run_verb(self.session, self.subject, region, instances, verb, parameters=parameters)
                except (Refused, SystemFault) as error:
                    said = str(error).splitlines()[0]
        except SystemFault as late:
            raise SystemFault(f"{str(late).splitlines()[0]} {said}\n    -> Run the same command again.") from late
        raise AssertionError("a waiter ends by its deadline")

    # The stacks.

    def record(self, here: Side) -> None:
        """Have the stacks say what is: the promotion, the switch, the gate, and that the backup is of the primary."""
        self.see_promoted(here)
        self.move(here.stacks.get("service"), Switch=here.switch, ReadGate=str(here.gate))
        self.move(here.stacks.get("backup"), DatabaseRole="primary")

    def see_promoted(self, here: Side) -> None:
        """See the database's stack to the end of the promotion, and bring it in line where it missed it."""
        stack = here.stacks.get("database")
        if stack is None:
            return
        now = make_ready(self.session, stack.name, self.region, note=lambda text: self.note(f"{stack.name} {text}"))
        if now is None or (now.good and now.parameters.get("DatabaseRole") == "primary"):
            return
        self.note(f"{now.name} does not know that its database stands alone ({now.status}): it is brought in line")
        self._bring_in_line(now)

    def _bring_in_line(self, stack: StackView) -> None:
        """Of a promoted instance whose stack takes it for a replica: promoting it again would fail in the handler.

        A drift-aware change set compares the template with what is there, so that CloudFormation only takes note.
        """
        wanted = Desired.moved(stack, DatabaseRole="primary")
        proposal = propose(self.session, wanted, stack, drift_aware=True)
        if proposal.empty:
            return
        wrong = [
            change
            for change in proposal.changes
            if change.type != INSTANCE_TYPE or change.replacement == "True" or change.action not in _HARMLESS
        ]
        if wrong:
            discard(self.session, proposal)
            raise Refused(
                f"Bringing {stack.name} in line would change more than what it knows of its database: "
                f"{', '.join(f'{change.action} {change.logical_id}' for change in wrong)}. Nothing was changed.\n"
                "    -> `bicoastal status --drift` shows what differs; `bicoastal deploy` then puts it right."
            )
        before = last_event(self.session, stack.name, self.region)
        execute(self.session, proposal, disable_rollback=True)
        self._settled(stack, before)

    def move(self, stack: StackView | None, **parameters: str) -> None:
        """Change parameters of a stack and see it through; nothing where they are so already, or it has none such."""
        if stack is None:
            return
        known = {name: value for name, value in parameters.items() if name in stack.parameters}
        ready = make_ready(self.session, stack.name, stack.region)
        if ready is None or (ready.good and all(ready.parameters.get(name) == value for name, value in known.items())):
            return
        proposal = propose(self.session, Desired.moved(ready, **known), ready)
        if not proposal.empty:
            self.carry_out(ready, proposal)

    def carry_out(self, stack: StackView, proposal: Proposal) -> None:
        """Execute a proposal and see it through. Raises StackFailed, with the stack as it was."""
        before = last_event(self.session, stack.name, stack.region)
        execute(self.session, proposal)
        self._settled(stack, before)

    def _settled(self, stack: StackView, before: str) -> None:
        now, events = settle(self.session, stack.name, stack.region, after=before)
        if now is None or not now.good:
            raise StackFailed(now or view(self.session, stack.id, stack.region) or stack, events, _AGAIN)


_HARMLESS = ("Modify", "SyncWithActual")


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
