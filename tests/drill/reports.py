"""A report as a drill makes it, for tests of how it is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bicoastal.drill.calls import Call
from bicoastal.drill.experiment import Said
from bicoastal.drill.measure import Loss, Recovery
from bicoastal.drill.report import HalfSecond, Report, Stretch
from bicoastal.resilience.figures import Figure
from bicoastal.resilience.region_loss import Prediction
from tests.drill.entries import EAST, WEST

_DETECTION = Figure("health checks notice", 2, 3, "templates/checks.yaml: HomeEndpoint")
_REPORT = Report(
    scenario="region-loss",
    title="the home region is gone, and says so",
    pace="fast",
    seed=7,
    lost=EAST,
    survivor=WEST,
    sentences=(
        Said("given", "pages are served on both coasts", True),
        Said("then", "only rows that were under way are lost", True, "none of 200 acknowledged rows is lost"),
    ),
    phases=(
        Stretch("steady state", -3.0, 0.0),
        Stretch("failover", 0.2, 8.0),
        Stretch("promote", 2.7, 2.9, 1),
        Stretch("rejoin", 20.0, 80.0),
    ),
    reads=Recovery(8.9, {EAST: 8.9, WEST: 6.3}, "reader 1"),
    undrained=Recovery(8.4, {EAST: 8.4, WEST: 0.0}, "reader 1"),
    writes=Recovery(9.1, {EAST: 9.1, WEST: 6.3}, "writer 1"),
    moved_s=9.0,
    loss=Loss(200, (), None, 0, ("a",), (), 0),
    heartbeat_age_s=0.1,
    fenced_after_s=1.2,
    operation_s=7.8,
    calls=(Call(1003.0, 0.1, "rds", WEST, "DescribeDBInstances", "ok"),),
    forbidden=(),
    fault_at=1000.0,
    served_s=12.0,
    predicted=(
        Prediction("twin, pace fast", Figure("reads", 2, 9, "sum"), Figure("writes", 2.5, 9, "sum"), (_DETECTION,)),
        Prediction("AWS", Figure("reads", 20, 90, "sum"), Figure("writes", 265, None, "sum"), (_DETECTION,), "people"),
    ),
    begins_s=-5.0,
    seconds=({"ok": 30}, {"refused": 4, "<gate>": 1}),
    seen={"reads": {"ok": 84, "refused": 69}, "writes": {"ok": 72}},
    commands=(("bicoastal failover", 0.2, 7.8),),
    notes={"up_s": 12.3},
    plotted={f"reads from {EAST}": (HalfSecond(-1.0, 4, 0, 0), HalfSecond(0.5, 0, 1, 3), HalfSecond(70.0, 4, 0, 0))},
)


def report(**changed: Any) -> Report:
    """One that held, with what is said of it changed."""
    return replace(_REPORT, **changed)
