"""What is there, and what would change: every stack's change set, made and read, nothing executed.

What `plan` prints, what the guard judges and what the walk executes are the same frozen proposals. Where something
cannot be known before another stack is there, that is said; it is not guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bicoastal.aws.faults import ApiFault
from bicoastal.aws.session import Session
from bicoastal.cfn.manifest import FromOutput, StackEntry
from bicoastal.cfn.reader import parse_template
from bicoastal.core.errors import SystemFault
from bicoastal.deploy.bucket import put_template
from bicoastal.deploy.choices import Choices
from bicoastal.deploy.guard import Objection, objections
from bicoastal.deploy.package import Package, bucket_wire
from bicoastal.deploy.watching import propose_watched
from bicoastal.deploy.wiring import wire
from bicoastal.stacks.changes import INLINE_BYTES, Desired, Proposal, ResourceChange, discard
from bicoastal.stacks.view import Condition, StackView, view

_AT_ONCE = 12
Views = Mapping[str, StackView | None]
"""Every stack of the manifest as it is, by entry id; None where there is none."""


@dataclass(frozen=True)
class Planned:
    """What would become of one stack."""

    entry: StackEntry
    current: StackView | None
    changes: tuple[ResourceChange, ...] = ()
    proposal: Proposal | None = None
    """The change set, for a stack that is there and settled; None where nothing would change."""
    unknown: tuple[FromOutput, ...] = ()
    """Outputs that other stacks don't have yet: what would change is not known before."""
    state: str = ""
    """For a stack that is not settled: what it is, and what a deploy would do about it first."""

    @property
    def creates(self) -> bool:
        """There is no stack that could be updated."""
        return self.current is None or self.current.condition in (Condition.EMPTY, Condition.UNBORN)

    @property
    def empty(self) -> bool:
        """Nothing would change."""
        return not (self.creates or self.changes or self.unknown or self.state)


@dataclass(frozen=True)
class Plan:
    """What would become of every stack, in the manifest's order."""

    stacks: tuple[Planned, ...]
    objections: tuple[Objection, ...]

    @property
    def empty(self) -> bool:
        """Nothing would change anywhere."""
        return all(planned.empty for planned in self.stacks)

    @property
    def proposals(self) -> dict[str, Proposal]:
        """The change sets, by entry id."""
        return {planned.entry.id: planned.proposal for planned in self.stacks if planned.proposal is not None}


_STATES = {
    Condition.BUSY: "an operation runs; deploy waits for its end",
    Condition.STUCK: "its rollback failed; deploy continues it",
    Condition.UNBORN: "its creation failed; deploy deletes it and creates it anew",
    Condition.UNDELETED: "its deletion failed; deploy deletes it and creates it anew",
}


def look(session: Session, entries: Iterable[StackEntry]) -> Views:
    """Every stack as it is."""
    wanted = list(entries)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda entry: view(session, entry.name, entry.region), wanted)
        return dict(zip((entry.id for entry in wanted), found, strict=True))


def survey(session: Session, package: Package, choices: Choices, views: Views, *, allowed: Collection[str]) -> Plan:
    """Propose every change that can be known now. The caller discards the proposals that it does not execute."""
    outputs = {name: current.outputs for name, current in views.items() if current is not None}

    def plan(entry: StackEntry) -> Planned:
        current = views[entry.id]
        if current is None or current.condition is not Condition.SETTLED:
            state = f"{current.status}: {_STATES[current.condition]}" if current and _said(current) else ""
            return Planned(entry, current, additions(package, entry) if _creates(current) else (), state=state)
        wired = wire(entry, current.parameters, outputs, choices.choose)
        if wired.unknown:
            return Planned(entry, current, unknown=wired.unknown)
        bucket = outputs.get(bucket_wire(entry.region).stack, {}).get(bucket_wire(entry.region).output, "")
        proposal = propose_watched(session, entry, desired(session, package, entry, wired.values, bucket), current)
        return Planned(entry, current, proposal.changes, None if proposal.empty else proposal)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        made = [pool.submit(plan, entry) for entry in package.manifest.stacks]
    faults = [fault for future in made if (fault := future.exception()) is not None]
    if faults:
        forget(session, (future.result().proposal for future in made if future.exception() is None))
        raise faults[0]
    stacks = tuple(future.result() for future in made)
    return Plan(
        stacks,
        tuple(
            objection
            for planned in stacks
            if planned.proposal is not None
            for objection in objections(
                planned.entry.id, planned.proposal, protected=planned.entry.protected, allowed=allowed
            )
        ),
    )


def desired(session: Session, package: Package, entry: StackEntry, values: Mapping[str, str], bucket: str) -> Desired:
    """What a stack should be; a long template is uploaded to the region's artifact bucket first."""
    text = package.template(entry)
    url = ""
    if len(text.encode()) > INLINE_BYTES:
        if not bucket:
            raise SystemFault(
                f"{entry.id}: {entry.template} is longer than {INLINE_BYTES} bytes, and "
                f"{bucket_wire(entry.region).stack} has no artifact bucket to send it through.\n"
                "    -> Deploy the manifest and the templates of one `bicoastal synth`."
            )
        url = put_template(session, entry.region, bucket, text)
    return Desired(
        name=entry.name,
        region=entry.region,
        template_body=text,
        template_url=url,
        parameters=dict(values),
        tags=dict(package.manifest.tags),
        capabilities=entry.capabilities,
    )


def forget(session: Session, proposals: Iterable[Proposal | None]) -> None:
    """Discard change sets; one that is gone already is no fault."""
    for proposal in proposals:
        if proposal is None:
            continue
        try:
            discard(session, proposal)
        except ApiFault as fault:
            if fault.code not in ("ChangeSetNotFound", "ValidationError"):
                raise


def additions(package: Package, entry: StackEntry) -> tuple[ResourceChange, ...]:
    """Everything in a template, as CloudFormation would add it.

    Conditional resources are among them: whether they are made is known when the stack is created.
    """
    template = parse_template(package.template(entry), entry.template)
    return tuple(
        ResourceChange("Add", name, str(body.get("Type", "")))
        for name, body in template.section("Resources").items()
        if isinstance(body, Mapping)
    )


def _creates(current: StackView | None) -> bool:
    return current is None or current.condition in (Condition.EMPTY, Condition.UNBORN, Condition.UNDELETED)


def _said(current: StackView) -> bool:
    return current.condition in _STATES
