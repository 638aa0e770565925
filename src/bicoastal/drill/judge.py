"""Makes the report of a run: each promise held against what was recorded. It records nothing."""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence

from bicoastal.cfn.deployment import Deployment
from bicoastal.cfn.reader import parse_template
from bicoastal.drill.evidence import gather
from bicoastal.drill.experiment import Run, Said
from bicoastal.drill.ledger import GATE, Entry
from bicoastal.drill.measure import WRITES, errors_per_second, heartbeat_ages, moved, seen
from bicoastal.drill.promises import READS_ARE_TRUE
from bicoastal.drill.report import HalfSecond, Report, Stretch
from bicoastal.drill.users import PATIENCE_S
from bicoastal.kit.config import Intervals
from bicoastal.operate.failover import DRAIN_S
from bicoastal.resilience.region_loss import Prediction, Values, on_aws, on_twin, values_of

_BEFORE_S = 5.0
_AFTER_S = 5.0


def predictions(run: Run) -> tuple[Prediction, ...]:
    """What the templates say, before anything is lost; none where no region is."""
    values = _values(run) if run.experiment.predicts else None
    if values is None:
        return ()
    pace = run.stage.pace
    patience = PATIENCE_S if run.experiment.black_hole else 0.0
    return on_twin(values, pace.name, pace.factor, patience_s=patience), on_aws(values)


def report_of(run: Run, entries: Sequence[Entry], predicted: Sequence[Prediction], seed: int) -> Report:
    """All figures and verdicts. Raises SystemFault where the gateway does not give its record."""
    found = gather(run, entries, predicted)
    fault, until = found.fault, found.until
    end = max([fault, *(phase.ended for phase in run.phases)])
    promised = [*run.experiment.then, READS_ARE_TRUE] if run.fault is not None else []
    return Report(
        scenario=run.experiment.name,
        title=run.experiment.title,
        pace=run.stage.pace.name,
        seed=seed,
        lost=run.lost,
        survivor=run.standby if run.lost == run.home else run.home if run.lost else "",
        sentences=[
            *(said for said in run.said if said.part != "afterwards"),
            *(Said("then", promise.text, *promise.judge(run, found)) for promise in promised),
            *(said for said in run.said if said.part == "afterwards"),
        ],
        phases=_stretches(run, fault),
        reads=found.reads,
        undrained=found.undrained,
        writes=found.writes,
        moved_s=moved(entries, run.home, run.standby, fault) if run.lost else None,
        loss=found.loss,
        heartbeat_age_s=max(heartbeat_ages(entries, run.standby, fault, 1.0), default=None),
        fenced_after_s=run.fenced_after_s,
        operation_s=_operation_s(run),
        calls=found.calls,
        forbidden=found.forbidden,
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
        seconds_in_all=end - min((phase.began for phase in run.phases), default=end),
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
