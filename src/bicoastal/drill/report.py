"""What a drill found, as data: made once from everything that was recorded, shown by `text`, `page` and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bicoastal.drill.calls import Call
from bicoastal.drill.experiment import Said
from bicoastal.drill.measure import Loss, Recovery
from bicoastal.resilience.figures import Figure
from bicoastal.resilience.region_loss import Prediction


@dataclass(frozen=True)
class Stretch:
    """A part of the time line, in seconds from the fault."""

    name: str
    start_s: float
    end_s: float
    level: int = 0
    """1: a step within the phase before."""


@dataclass(frozen=True)
class HalfSecond:
    """How many attempts ended in it, by how they ended."""

    at_s: float
    served: int
    drained: int
    """Answered by the closed read gate."""
    failed: int


@dataclass(frozen=True)
class Report:
    """One run of an experiment. Seconds; times are from the fault, measured, and not scaled by the pace."""

    scenario: str
    title: str
    pace: str
    seed: int
    lost: str
    """The region that was taken away; empty where none was."""
    survivor: str
    sentences: Sequence[Said]
    phases: Sequence[Stretch]
    reads: Recovery
    undrained: Recovery
    """Reads, with the read gate's answers counted as such: what the loss alone cost."""
    writes: Recovery
    moved_s: float | None
    """Until every user of the lost region's coast had an answer from the survivor."""
    loss: Loss | None
    heartbeat_age_s: float | None
    """How far the replica was behind just before the fault, as its readers saw it."""
    fenced_after_s: float | None
    operation_s: float | None
    """From the first time that the command was typed to its end."""
    calls: Sequence[Call]
    """The operator's, from the fault to the end of the failover; `began` is seconds since the epoch."""
    forbidden: Sequence[Call]
    fault_at: float
    served_s: float | None
    """When what is measured was over: all were served for a while, or the operation had failed."""
    predicted: Sequence[Prediction]
    begins_s: float
    """Where `seconds` begins."""
    seconds: Sequence[Mapping[str, int]]
    """For each second, what users saw and how often."""
    seen: Mapping[str, Mapping[str, int]]
    """By kind, between fault and recovery."""
    commands: Sequence[tuple[str, float, float]]
    """What the operator typed, when it began, and how long it took."""
    notes: Mapping[str, Any]
    plotted: Mapping[str, Sequence[HalfSecond]]
    """`reads from us-east-1` to what became of them."""
    seconds_in_all: float = 0.0
    """That the experiment took, without the start of its stage."""

    @property
    def held(self) -> bool:
        """Every sentence did."""
        return bool(self.sentences) and all(said.held for said in self.sentences)

    @property
    def began(self) -> bool:
        """The steady state was there: it was rehearsed."""
        return all(said.held for said in self.sentences if said.part == "given")

    @property
    def broken(self) -> list[Said]:
        """Those that did not."""
        return [said for said in self.sentences if not said.held]


@dataclass(frozen=True)
class Unplayed:
    """An experiment that could not be rehearsed: that says nothing about its promises."""

    scenario: str
    title: str
    why: str


HELD, BROKEN, UNPLAYED = "held", "broken", "not rehearsed"


def verdict(ended: Report | Unplayed) -> str:
    """In a word."""
    if isinstance(ended, Unplayed):
        return UNPLAYED
    return HELD if ended.held else BROKEN if ended.began else UNPLAYED


def as_json(report: Report) -> str:
    """The contract of the design, and more below it."""
    return json.dumps(as_data(report), indent=2) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """The same as a mapping."""
    loss = report.loss
    return {
        "scenario": report.scenario,
        "pace": report.pace,
        "seed": report.seed,
        "verdict": verdict(report),
        "phases": [
            {"name": phase.name, "start_s": _round(phase.start_s), "end_s": _round(phase.end_s), "level": phase.level}
            for phase in report.phases
        ],
        "rto_s": {"reads": _round(report.reads.seconds), "writes": _round(report.writes.seconds)},
        "rto_by_coast_s": {
            "reads": {coast: _round(value) for coast, value in report.reads.by_coast.items()},
            "writes": {coast: _round(value) for coast, value in report.writes.by_coast.items()},
        },
        "rto_without_drain_s": _round(report.undrained.seconds),
        "rpo": {
            "acknowledged": None if loss is None else loss.acknowledged,
            "lost": None if loss is None else len(loss.lost),
            "lost_ids": None if loss is None else list(loss.lost),
            "oldest_lost_s": None if loss is None else _round(loss.oldest_lost_s),
            "diverged": None if loss is None or loss.diverged is None else len(loss.diverged),
            "accepted_before_fence": None
            if loss is None or loss.accepted_before_fence is None
            else len(loss.accepted_before_fence),
            "accepted_from_followers_of_dns": None if loss is None else loss.accepted_from_followers,
            "heartbeat_age_s": _round(report.heartbeat_age_s),
        },
        "predicted": {
            prediction.where: {
                "reads_s": _figure(prediction.reads),
                "writes_s": _figure(prediction.writes),
                "without": prediction.without,
                "figures": [asdict(figure) for figure in prediction.figures],
            }
            for prediction in report.predicted
        },
        "calls": [
            {
                "t_s": _round(call.began - report.fault_at),
                "service": call.service,
                "region": call.region,
                "action": call.action,
                "outcome": call.outcome,
                "seconds": _round(call.seconds),
            }
            for call in report.calls
        ],
        "forbidden_calls": len(report.forbidden),
        "operation_s": _round(report.operation_s),
        "moved_s": _round(report.moved_s),
        "fenced_after_s": _round(report.fenced_after_s),
        "sentences": [asdict(said) for said in report.sentences],
        "commands": [
            {"text": text, "t_s": _round(began), "seconds": _round(seconds)} for text, began, seconds in report.commands
        ],
        "seen": {kind: dict(counts) for kind, counts in report.seen.items()},
        "errors_per_second": {"begins_s": _round(report.begins_s), "seconds": [dict(one) for one in report.seconds]},
        "notes": dict(report.notes),
    }


def _figure(figure: Figure) -> dict[str, float | None]:
    return {"least": _round(figure.least), "most": _round(figure.most)}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
