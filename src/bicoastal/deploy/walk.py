"""Makes every stack what it should be, each as soon as what it needs is there.

One stack is: made ready (whatever state an earlier run left it in), wired, proposed, judged, executed, seen through,
protected. A stack whose inputs came out as the survey saw them gets the very change set that the survey showed.

A stack that is watched changes in one region after the other, where the primary is last: a version that is taken back
in the first has not touched the other, and both run the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bicoastal.cfn.manifest import Chosen, StackEntry
from bicoastal.core.errors import Refused
from bicoastal.deploy.bucket import put_all
from bicoastal.deploy.choices import ARTIFACT
from bicoastal.deploy.failure import DeployFailed, failed
from bicoastal.deploy.graph import Outcome, Stopped, Task, run_all
from bicoastal.deploy.guard import objections
from bicoastal.deploy.moments import End, Happened
from bicoastal.deploy.package import FOUNDATION
from bicoastal.deploy.run import Run, Step
from bicoastal.deploy.steps.database import primary_region
from bicoastal.deploy.survey import desired, forget
from bicoastal.deploy.watching import Alarm, Watching, due_watch, propose_watched
from bicoastal.deploy.wiring import wire
from bicoastal.stacks.changes import Desired, Proposal, execute, protect
from bicoastal.stacks.recovery import make_ready
from bicoastal.stacks.view import StackView
from bicoastal.stacks.watch import Event, StackFailed, last_event, settle, validations


def walk(run: Run, steps: Sequence[Step]) -> dict[str, Outcome]:
    """Do everything; returns how each stack and step ended, by id. Change sets that came to nothing are discarded."""
    outcomes = run_all(tasks(run, steps), run.tell, run.stop)
    unused = [name for name in run.plan.proposals if name not in run.changed and outcomes[name].end is not End.FAILED]
    forget(run.session, (run.plan.proposals[name] for name in unused))
    return outcomes


def tasks(run: Run, steps: Sequence[Step]) -> list[Task]:
    """The graph: stacks by their wires, artifacts after the buckets, steps between the stacks that they name."""
    found = [_artifacts(run, entry) for entry in run.package.entries(FOUNDATION) if run.package.artifacts]
    uploads = {task.needs[0].partition("/")[2]: task.id for task in found}
    found += [Task(step.id, tuple(entry.id for entry in step.after), _bound(step, run)) for step in steps]
    for entry in run.package.manifest.stacks:
        needs = list(entry.needs)
        needs += [step.id for step in steps if entry in step.before]
        if entry.region in uploads and _fetches(entry):
            needs.append(uploads[entry.region])
        needs += _before(run, entry)
        found.append(Task(entry.id, tuple(dict.fromkeys(needs)), _stack(run, entry)))
    return found


def _bound(step: Step, run: Run) -> Callable[[], End]:
    return lambda: step.run(run)


def _before(run: Run, entry: StackEntry) -> list[str]:
    """The same stack of the other region, where both are there and are watched."""
    pair = run.package.entries(entry.id.partition("/")[0])
    stacks = [run.views.get(one.id) for one in pair]
    if entry.watch is None or not all(stack is not None and stack.exists for stack in stacks):
        return []
    primary = primary_region(run.package, run.views)
    return [one.id for one in pair if one is not entry] if entry.region == primary else []


def _fetches(entry: StackEntry) -> bool:
    """Its instances fetch artifacts as soon as they boot."""
    return any(
        isinstance(source, Chosen) and source.chooser.startswith(f"{ARTIFACT}:") for source in entry.parameters.values()
    )


def _artifacts(run: Run, foundation: StackEntry) -> Task:
    name = f"artifacts/{foundation.region}"

    def upload() -> End:
        run.begin(name, "uploading what instances fetch")
        sent = put_all(
            run.session,
            foundation.region,
            run.bucket(foundation.region),
            list(run.package.artifacts.values()),
            lambda text: run.note(name, text),
        )
        return End.DONE if sent else End.UNCHANGED

    return Task(name, (foundation.id,), upload)


def _stack(run: Run, entry: StackEntry) -> Callable[[], End]:
    def bring() -> End:
        try:
            return _bring(run, entry)
        except StackFailed as fault:
            raise DeployFailed(entry, fault, run.package) from fault

    return bring


def _bring(run: Run, entry: StackEntry) -> End:
    session, region = run.session, entry.region

    watching: Watching | None = None

    def tell(event: Event) -> None:
        run.tell(Happened(entry.id, event))
        for moment in watching.look(event) if watching is not None else ():
            run.tell(moment)

    current = make_ready(session, entry.name, region, tell=tell, note=lambda text: run.note(entry.id, text))
    if run.stop.is_set():
        raise Stopped
    proposal = _proposal(run, entry, current)
    if not proposal.empty:
        before = last_event(session, entry.name, region)
        run.begin(entry.id, _doing(proposal))
        watching = Watching(session, entry, proposal)
        execute(session, proposal)
        run.changed.add(entry.id)
        current, events = settle(session, entry.name, region, after=before, tell=tell)
        if current is None or not current.good:
            raise _fault(run, entry, current, events, watching.rang)
    if current is None:
        raise _fault(run, entry, None, [], None)
    if entry.protected and not current.protected:
        protect(session, entry.name, region, on=True)
    run.stacks[entry.id] = current
    return End.UNCHANGED if proposal.empty else End.DONE


def _proposal(run: Run, entry: StackEntry, current: StackView | None) -> Proposal:
    """The change set to execute, judged. Raises Refused for what needs permission."""
    outputs = {name: stack.outputs for name, stack in run.stacks.items()}
    known = current.parameters if current is not None and current.exists else None
    wired = wire(entry, known, outputs, run.choices.choose)
    if wired.unknown:
        missing = ", ".join(f"{source.output} of {source.stack}" for source in wired.unknown)
        raise Refused(
            f"{entry.id}: {missing} is not there, though the stack is: its template declares no such output.\n"
            "    -> Deploy the manifest and the templates of one `bicoastal synth`."
        )
    wanted = desired(run.session, run.package, entry, wired.values, run.bucket(entry.region))
    shown = run.plan.proposals.get(entry.id)
    if shown is not None and _stands(run, entry, shown, wanted, current):
        return shown
    proposal = propose_watched(run.session, entry, wanted, current)
    _, why_not = due_watch(run.session, entry, proposal, current)
    if why_not:
        run.note(entry.id, why_not)
    refused = objections(entry.id, proposal, protected=entry.protected, allowed=run.allowed)
    if refused:
        forget(run.session, [proposal])
        raise Refused("\n".join(str(objection) for objection in refused))
    return proposal


def _stands(run: Run, entry: StackEntry, shown: Proposal, wanted: Desired, current: StackView | None) -> bool:
    """Whether what the survey proposed is what is to be done now: an alarm may have begun to ring meanwhile."""
    if replace(shown.desired, watch=wanted.watch) != wanted or run.views[entry.id] != current:
        return False
    due, why_not = due_watch(run.session, entry, shown, current)
    return due == shown.desired.watch and not why_not


def _fault(run: Run, entry: StackEntry, now: StackView | None, events: list[Event], rang: Alarm | None) -> DeployFailed:
    if now is None:
        return DeployFailed(
            entry, StackFailed(_gone(entry), events, "Somebody deleted it; run deploy again."), run.package
        )
    told = [*events, *validations(run.session, entry.region, StackName=now.id)]
    kind = entry.id.partition("/")[0]
    elsewhere = [one.id for one in run.package.entries(kind) if one is not entry and one.id in run.stacks]
    return failed(entry, now, told, run.package, rang=rang, done=[name for name in elsewhere if name in run.changed])


def _gone(entry: StackEntry) -> StackView:
    return StackView("", entry.name, entry.region, "DELETE_COMPLETE", "It was deleted meanwhile.", {}, {}, {}, False)


def _doing(proposal: Proposal) -> str:
    count = len(proposal.changes)
    things = f"{count} resource{'' if count == 1 else 's'}"
    if proposal.creates:
        return f"creating {things}"
    return f"changing {things}" if count else "changing outputs or tags"
