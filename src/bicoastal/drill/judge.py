"""Makes the report of a run: figures from what was recorded, and each promise held against them. It records nothing."""

from __future__ import annotations

import collections
import math
import time
from collections.abc import Sequence

from bicoastal.cfn.deployment import Deployment
from bicoastal.cfn.reader import parse_template
from bicoastal.drill.calls import Call, forbidden, of_operator
from bicoastal.drill.experiment import Run, Said
from bicoastal.drill.ledger import GATE, Entry
from bicoastal.drill.measure import (
    READS,
    WRITES,
    Loss,
    Recovery,
    errors_per_second,
    heartbeat_ages,
    loss,
    moved,
    recovery,
    seen,
)
from bicoastal.drill.report import HalfSecond, Report, Stretch
from bicoastal.drill.users import PATIENCE_S
from bicoastal.kit.config import Intervals
from bicoastal.resilience.region_loss import Prediction, Values, on_aws, on_twin, values_of

DRAIN_S = 10.0
"""The default of `bicoastal failover --drain`, which the operator does not change."""
READS_SLACK_S = 0.5
GATE_SLACK_S = 1.0
IN_FLIGHT_S = 1.0
"""A row that was acknowledged longer before the fault than the replica may lag must not be lost."""
_BEFORE_S = 5.0
_AFTER_S = 5.0
_OPEN_GATE = "open the read gate"


Judged = tuple[bool, str]
"""Whether a promise held, and what was found."""


def predictions(run: Run) -> tuple[Prediction, ...]:
    """What the templates say, before anything is lost."""
    values = _values(run)
    if values is None:
        return ()
    pace = run.stage.pace
    patience = PATIENCE_S if run.experiment.black_hole else 0.0
    return on_twin(values, pace.name, pace.factor, patience_s=patience), on_aws(values)


def report_of(run: Run, entries: Sequence[Entry], predicted: Sequence[Prediction], seed: int) -> Report:
    """All figures and verdicts. Raises SystemFault where the gateway does not give its record."""
    fault = run.fault.began if run.fault is not None else time.time()
    until = run.served_until
    reads = recovery(entries, READS, fault, until=until)
    moved_reads = recovery(entries, READS, fault, until=until, drained=False)
    writes = recovery(entries, WRITES, fault, until=until)
    lost = _loss(run, entries)
    calls = _calls(run, fault)
    path = forbidden(calls, run.home)
    heartbeat = max(heartbeat_ages(entries, run.standby, fault, 1.0), default=None)
    end = max([fault, *(phase.ended for phase in run.phases)])
    given = [said for said in run.said if said.part != "afterwards"]
    afterwards = [said for said in run.said if said.part == "afterwards"]
    promises: list[Said] = []
    if run.fault is not None:
        judged = (
            _reads_held(predicted, moved_reads),
            _gate_held(run, predicted, reads, fault),
            _gate_held(run, predicted, writes, fault),
            _rows_held(lost),
            _path_held(path),
            _fence_held(run, lost),
        )
        promises = [Said("then", text, *verdict) for text, verdict in zip(run.experiment.then, judged, strict=True)]
    return Report(
        scenario=run.experiment.name,
        title=run.experiment.title,
        pace=run.stage.pace.name,
        seed=seed,
        lost=run.home,
        survivor=run.standby,
        sentences=[*given, *promises, *afterwards],
        phases=_stretches(run, fault),
        reads=reads,
        undrained=moved_reads,
        writes=writes,
        moved_s=moved(entries, run.home, run.standby, fault),
        loss=lost,
        heartbeat_age_s=heartbeat,
        fenced_after_s=run.fenced_after_s,
        operation_s=_operation_s(run),
        calls=calls,
        forbidden=path,
        fault_at=fault,
        served_s=until - fault if run.fault is not None else None,
        predicted=predicted,
        begins_s=-_BEFORE_S,
        seconds=errors_per_second(entries, fault - _BEFORE_S, min(until + _AFTER_S, end)),
        seen=seen(entries, fault, until),
        commands=[
            (command.text, command.began - fault, command.ended - command.began) for command in run.operator.commands
        ],
        notes={**run.notes, "up_s": round(run.stage.up_s, 1)},
        plotted=_plotted(entries, fault, end),
    )


def _values(run: Run) -> Values | None:
    package = run.stage.package
    if package is None:
        return None
    wanted = {entry.template for entry in package.manifest.stacks}
    templates = {name: parse_template(text, name) for name, text in package.templates.items() if name in wanted}
    return values_of(
        Deployment.of(package.manifest, templates),
        run.home,
        isolation_s=Intervals().isolation,
        drain_s=DRAIN_S,
        black_hole=run.experiment.black_hole,
    )


def _loss(run: Run, entries: Sequence[Entry]) -> Loss | None:
    if run.fault is None or run.survivor_rows is None:
        return None
    return loss(
        entries,
        lost_region=run.home,
        fault=run.fault.ended,
        returned=run.returned.began if run.returned is not None else None,
        counted=run.counted,
        survivor=run.survivor_rows,
        stale=run.stale_rows,
    )


def _calls(run: Run, fault: float) -> list[Call]:
    """The operator's calls of the path: from the fault to the end of the failover."""
    ended = run.failover.ended if run.failover is not None else time.time()
    found = of_operator(run.stage.calls(), [run.operator.access_key_id])
    return [call for call in found if fault <= call.began <= ended]


def _operation_s(run: Run) -> float | None:
    typed = [command for command in run.operator.commands if command.words[0] == "failover"]
    return typed[-1].ended - typed[0].began if typed and run.failover is not None else None


def _stretches(run: Run, fault: float) -> list[Stretch]:
    found: list[Stretch] = []
    for phase in sorted(run.phases, key=lambda phase: phase.began):
        found.append(Stretch(phase.name, phase.began - fault, phase.ended - fault))
        if phase.name == "failover":
            found += [
                Stretch(step.name, step.began - fault, (step.ended or command.ended) - fault, 1)
                for command in run.operator.commands
                if command.words[0] == "failover"
                for step in command.steps
            ]
    return found


def _reads_bar(predicted: Sequence[Prediction]) -> float | None:
    most = predicted[0].reads.most if predicted else None
    return None if most is None else most + READS_SLACK_S


def _reads_held(predicted: Sequence[Prediction], reads: Recovery) -> Judged:
    bar = _reads_bar(predicted)
    if reads.seconds is None:
        return False, f"{reads.slowest or 'nobody'} was not served again"
    if bar is None:
        return True, f"{reads.seconds:.1f} s; the templates do not say what to expect"
    return reads.seconds <= bar, f"{reads.seconds:.1f} s ({reads.slowest}), at most {bar:.1f} s"


def _gate_held(run: Run, predicted: Sequence[Prediction], found: Recovery, fault: float) -> Judged:
    if found.seconds is None:
        return False, f"{found.slowest or 'nobody'} was not served again"
    gate = run.failover.step(_OPEN_GATE) if run.failover is not None else None
    opened = gate.ended - fault + GATE_SLACK_S if gate is not None and gate.ended is not None else None
    bars = [bar for bar in (_reads_bar(predicted), opened) if bar is not None]
    if not bars:
        return False, f"{found.seconds:.1f} s, and the operation opened no gate"
    return found.seconds <= max(bars), f"{found.seconds:.1f} s ({found.slowest}), at most {max(bars):.1f} s"


def _rows_held(lost: Loss | None) -> Judged:
    if lost is None:
        return False, "the surviving database could not be asked"
    accepted = len(lost.accepted_before_fence or ())
    after = lost.lost_after - accepted
    gone = len(lost.lost) - accepted
    if not gone:
        return True, f"none of {lost.acknowledged} acknowledged rows is lost"
    said = f"{gone} of {lost.acknowledged} acknowledged rows are lost"
    if after:
        return False, f"{said}, and {after} of them were sent after the fault"
    age = lost.oldest_lost_s or 0.0
    return age <= IN_FLIGHT_S, f"{said}, the oldest acknowledged {age:.2f} s before the fault"


def _path_held(path: Sequence[Call]) -> Judged:
    if not path:
        return True, "no such call by the gateway's record"
    first = path[0]
    return False, f"{len(path)}, the first {first.service}:{first.action} in {first.region} ({first.outcome})"


def _fence_held(run: Run, lost: Loss | None) -> Judged:
    if lost is None or lost.accepted_before_fence is None:
        return False, "the returned region was not asked"
    if run.fenced_after_s is None:
        return False, "the returned database was not seen to be fenced"
    said = (
        f"{len(lost.accepted_before_fence)} rows accepted before the fence, {lost.accepted_from_followers} of them "
        f"from who follows DNS; fenced {run.fenced_after_s:.1f} s after it returned"
    )
    return lost.accepted_from_followers == 0, said


def _plotted(entries: Sequence[Entry], fault: float, end: float) -> dict[str, list[HalfSecond]]:
    found: dict[str, dict[int, collections.Counter[str]]] = {}
    for entry in entries:
        if entry.pinned or not fault - _BEFORE_S <= entry.ended <= end:
            continue
        name = f"{'writes' if entry.kind in WRITES else 'reads'} from {entry.coast}"
        cells = found.setdefault(name, collections.defaultdict(collections.Counter))
        how = "served" if entry.served else "drained" if entry.error == GATE else "failed"
        cells[math.floor((entry.ended - fault) * 2)][how] += 1
    return {
        name: [
            HalfSecond(half / 2, cell["served"], cell["drained"], cell["failed"])
            for half, cell in sorted(cells.items())
        ]
        for name, cells in sorted(found.items())
    }
