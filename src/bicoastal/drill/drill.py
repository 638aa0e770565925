"""The entry: one experiment from an empty machine to its report, with everything ended again."""

from __future__ import annotations

from collections.abc import Callable

from bicoastal.deploy.moments import Moment
from bicoastal.drill.experiment import Experiment, Run, perform
from bicoastal.drill.judge import predictions, report_of
from bicoastal.drill.operator import Operator
from bicoastal.drill.report import Report
from bicoastal.drill.stage import Script, Stage
from bicoastal.drill.users import Users
from bicoastal.twin.pace import Pace


def drill(experiment: Experiment, script: Script, pace: Pace, *, seed: int, tell: Callable[[str], None]) -> Report:
    """Run it. Raises BicoastalError where the stage cannot be set: that says nothing about the promise."""

    def quiet(moment: Moment) -> None:
        del moment

    tell("both regions are started and deployed")
    with Stage(script, pace, quiet) as stage:
        tell(f"both regions are up after {stage.up_s:.1f} s; users on both coasts begin to ask")
        users = Users(stage.twin.ground, script.domain, script.home, stage.folder / "users", seed=seed)
        with users:
            run = Run(experiment, stage, users, Operator(stage, script.standby), tell)
            predicted = predictions(run)
            run.known_rows = stage.ids(script.home) or frozenset()
            perform(run)
            entries = users.entries()
        return report_of(run, entries, predicted, seed)
