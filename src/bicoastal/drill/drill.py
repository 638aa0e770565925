"""The entry: one experiment from an empty machine to its report, or several in a row, with everything ended again.

A stage costs more than most experiments: those of a row that leave everything as it was share one. Each begins only
when its steady state is there; after one that broke, and for one that did not find its steady state, a new one is set.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from bicoastal.core.errors import BicoastalError
from bicoastal.deploy.moments import Moment
from bicoastal.drill.experiment import Experiment, Run, perform
from bicoastal.drill.judge import predictions, report_of
from bicoastal.drill.operator import Operator
from bicoastal.drill.report import Report, Unplayed
from bicoastal.drill.stage import Script, Stage
from bicoastal.drill.users import Users
from bicoastal.drill.watch import NameWatch
from bicoastal.twin.pace import Pace

Tell = Callable[[str], None]
_APART = 1_000_003
ScriptOf = Callable[[Experiment], Script]
"""What an experiment has played: its own spec, where it asks for one. Raises InputError."""


def drill(experiment: Experiment, script: Script, pace: Pace, *, seed: int, tell: Tell) -> Report:
    """Run it. Raises BicoastalError where the stage cannot be set: that says nothing about the promise."""
    with _stage(script, pace, tell) as stage:
        return play(experiment, stage, seed=seed, tell=tell)


def play(experiment: Experiment, stage: Stage, *, seed: int, tell: Tell) -> Report:
    """Run it where both regions are up. Raises BicoastalError as above."""
    script = stage.script
    number = stage.begin_play()
    # Ids of rows follow from it: with that of the play before, everybody would be told that what he stores is there.
    seed += _APART * (number - 1)
    ground, folder = stage.twin.ground, stage.folder / f"users-{number}"
    with ExitStack() as ends:
        users = ends.enter_context(Users(ground, script.domain, script.home, folder, seed=seed, each=experiment.users))
        watch = ends.enter_context(_watch(experiment, stage)) if experiment.watches else None
        run = Run(experiment, stage, users, Operator(stage, script.standby), tell, watch)
        predicted = predictions(run)
        run.known_rows = stage.ids(script.home) or frozenset()
        perform(run)
        users.entries()  # where one coast's process has ended by itself, that is said
        # Who leaves writes down what he had begun: somebody may have seen that row already.
        users.stop()
        entries = users.entries()
    return report_of(run, entries, predicted, seed)


def several(
    experiments: Iterable[Experiment],
    script_of: ScriptOf,
    pace: Pace,
    *,
    seed: int,
    tell: Tell,
) -> Generator[Report | Unplayed, None, None]:
    """One after the other, each as it ends, in as few places as may be. Never raises BicoastalError."""
    with ExitStack() as ends:
        stage: Stage | None = None
        asks: Mapping[str, Any] = {}
        for experiment in experiments:
            say = partial(_by_name, tell, experiment.name)
            say(experiment.title)
            if stage is not None and experiment.asks != asks:
                stage = None
                ends.close()
            ended: Report | Unplayed | None = None
            while ended is None:
                inherited = stage is not None
                try:
                    if stage is None:
                        stage = ends.enter_context(_stage(script_of(experiment), pace, say))
                        asks = experiment.asks
                    found = play(experiment, stage, seed=seed, tell=say)
                except BicoastalError as error:
                    if not inherited:
                        ended = _unplayed(experiment, error, say)
                    found = None
                if found is not None and (found.began or not inherited):
                    ended = found
                if found is None or not found.held or not experiment.traceless:
                    stage = None
                    ends.close()
            yield ended


def _by_name(tell: Tell, name: str, text: str) -> None:
    tell(f"{name}: {text}")


def _unplayed(experiment: Experiment, error: BicoastalError, tell: Tell) -> Unplayed:
    tell(f"it could not be rehearsed: {str(error).splitlines()[0]}")
    return Unplayed(experiment.name, experiment.title, str(error))


def _stage(script: Script, pace: Pace, tell: Tell) -> Stage:
    def quiet(moment: Moment) -> None:
        del moment

    tell("both regions are started and deployed")
    return Stage(script, pace, quiet, lambda seconds: tell(f"both regions are up after {seconds:.1f} s"))


def _watch(experiment: Experiment, stage: Stage) -> NameWatch:
    script = stage.script
    coast = script.home if experiment.watched_from == "home" else script.standby
    own = {region: f"{region}.{script.domain}" for region in (script.home, script.standby)}
    return NameWatch(stage.twin.ground, names(experiment, script), coast, own)


def names(experiment: Experiment, script: Script) -> list[str]:
    """What it watches, as DNS is asked."""
    below = (name.format(home=script.home, standby=script.standby) for name in experiment.watches)
    return [f"{name}.{script.domain}" if name else script.domain for name in below]
