"""The bars of a failover: N region losses in a row, each on a fresh twin, and the arithmetic beside what they took.

Calls to what is lost are refused in every other run and hang in the rest: the operation must take the same time, within
half a second at the median. Run it on a machine that does nothing else: `python -m bench.failover [N] [--pace real]`.
Prints a line for each run and a summary; `-o FILE` keeps all reports as JSON. Exits 1 when a run is broken or a bar is
missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bicoastal.cli.drill import script_of
from bicoastal.core.errors import BicoastalError
from bicoastal.drill.drill import drill
from bicoastal.drill.experiments import EXPERIMENTS
from bicoastal.drill.report import Report, as_data
from bicoastal.twin.pace import FAST, REAL, Pace

SPEC = Path(__file__).resolve().parent.parent / "examples" / "orders" / "bicoastal.yaml"
REFUSED, HUNG = "region-loss", "region-loss-api-hangs"
SAME_WITHIN_S = 0.5


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description="Region losses in a row, against the bars.")
    parser.add_argument("runs", nargs="?", type=int, default=20)
    parser.add_argument("--pace", choices=[FAST.name, REAL.name], default=FAST.name)
    parser.add_argument("--scenario", choices=list(EXPERIMENTS), action="append", help="Instead of both, in turns.")
    parser.add_argument("-o", dest="output", type=Path)
    given = parser.parse_args()
    scenarios = given.scenario or [REFUSED, HUNG]
    print(f"{'run':>3} {'scenario':<30} {'reads':>7} {'undrained':>9} {'writes':>7} {'operation':>9} {'lost':>5} "
          f"{'forbidden':>9}  verdict")  # fmt: skip
    reports: list[Report] = []
    failures = 0
    for number in range(given.runs):
        report = _run(scenarios[number % len(scenarios)], Pace.named(given.pace), number)
        if report is None:
            failures += 1
            continue
        reports.append(report)
        print(_line(number + 1, report), flush=True)
        for said in report.broken:
            print(f"      {said.text}: {said.found.splitlines()[0] if said.found else ''}")
    if given.output is not None:
        given.output.write_text(json.dumps({"drills": [as_data(report) for report in reports]}, indent=1) + "\n")
    if not reports:
        return 1
    return 0 if _summary(reports) and not failures else 1


def _run(scenario: str, pace: Pace, seed: int) -> Report | None:
    experiment = EXPERIMENTS[scenario].staying()
    try:
        with tempfile.TemporaryDirectory(prefix="bicoastal-bench-") as folder:
            script = script_of(SPEC, experiment.asks, Path(folder))
            return drill(experiment, script, pace, seed=seed, tell=lambda _: None)
    except BicoastalError as error:
        print(f"    {scenario}: no stage: {error}", flush=True)
        return None


def _line(number: int, report: Report) -> str:
    lost = "?" if report.loss is None else str(len(report.loss.lost))
    return (
        f"{number:>3} {report.scenario:<30} {_s(report.reads.seconds):>7} {_s(report.undrained.seconds):>9} "
        f"{_s(report.writes.seconds):>7} {_s(report.operation_s):>9} {lost:>5} {len(report.forbidden):>9}  "
        f"{'held' if report.held else 'BROKEN'}"
    )


def _summary(reports: Sequence[Report]) -> bool:
    """Print medians and spreads beside the arithmetic; whether every bar was kept."""
    print()
    for name, values in (
        ("reads", [report.reads.seconds for report in reports]),
        ("reads without the drain", [report.undrained.seconds for report in reports]),
        ("writes", [report.writes.seconds for report in reports]),
        ("the operation", [report.operation_s for report in reports]),
        ("old primary to its fence", [report.fenced_after_s for report in reports]),
    ):
        print(f"{name:<26}{_spread(values)}")
    for prediction in reports[0].predicted:
        print(f"{f'computed, {prediction.where}':<26}reads {prediction.reads}, writes {prediction.writes}"
              + (f" (without {prediction.without})" if prediction.without else ""))  # fmt: skip
    lost = [len(report.loss.lost) for report in reports if report.loss is not None]
    print(f"{'rows lost, all in flight':<26}{sum(lost)} in {len(lost)} runs, at most {max(lost, default=0)}")
    print(f"{'forbidden calls':<26}{sum(len(report.forbidden) for report in reports)}")
    held = sum(report.held for report in reports)
    print(f"{'held':<26}{held} of {len(reports)} runs")
    return _same(reports) and held == len(reports)


def _same(reports: Sequence[Report]) -> bool:
    """Whether an operation takes as long while calls to what is lost hang as while they are refused."""
    refused, hung = (
        [report.operation_s for report in reports if report.scenario == name and report.operation_s is not None]
        for name in (REFUSED, HUNG)
    )
    if not refused or not hung:
        return True
    difference = abs(statistics.median(hung) - statistics.median(refused))
    print(f"{'refusing against hanging':<26}{difference:.2f} s apart at the median, at most {SAME_WITHIN_S:g} s")
    return difference <= SAME_WITHIN_S


def _spread(values: Sequence[float | None]) -> str:
    known: list[Any] = sorted(value for value in values if value is not None)
    if not known:
        return "unknown"
    missing = f", {len(values) - len(known)} unknown" if len(known) < len(values) else ""
    return f"median {statistics.median(known):.2f} s, {known[0]:.2f} to {known[-1]:.2f} s{missing}"


def _s(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
