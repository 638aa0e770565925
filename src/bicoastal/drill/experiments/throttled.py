"""AWS's API answers badly at random: throttled, unavailable, or not at all for a while. Commands end right in spite.

While `deploy` changes a stack every region's API does so, during the failover the survivor's: of a hundred calls
fifteen are throttled, five answered 503, two reset after two seconds without a word. The dice have the drill's seed.
Every command asks six times (`aws.session.ATTEMPTS`): a call fails for good once in 9,000 (0.22 to the sixth).
Bars are those of a region's loss: nothing in them waits for the API but the operation itself.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from bicoastal.core.errors import SystemFault
from bicoastal.drill import deeds
from bicoastal.drill.calls import of_operator
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.experiments.bad_release import as_it_is, release
from bicoastal.drill.promises import FAILOVER
from bicoastal.drill.steady import STEADY, STEADY_AGAIN
from bicoastal.twin.cloud.gateway import Fault

SHARES = (("throttle", 0.15, None), ("unavailable", 0.05, None), ("hang", 0.02, 2.0))
_COUNTED = 3
"""Deeds afterwards until rows are counted."""
_MET = {"Throttling", "ServiceUnavailable", "hang"}


def _dice(run: Run, region: str) -> list[Fault]:
    seed = run.users.seed
    return [
        Fault(kind, region=region, share=share, seconds=seconds, seed=seed + number)
        for number, (kind, share, seconds) in enumerate(SHARES)
    ]


def _throttle(run: Run) -> None:
    run.notes["throttled_from"] = run.stage.twin.faults.fail_api(*_dice(run, "*")).began


def _deploy(run: Run) -> None:
    """A changed promise is an alarm's and a dashboard's: no server is replaced for it."""
    spec = _changed(run)
    with run.phase("deploy"):
        command = run.operator.types("deploy", spec=spec)
        run.notes["deploy"] = {
            "code": command.code,
            "seconds": round(command.ended - command.began, 1),
            "said": command.said.splitlines()[-12:],
        }
    if command.code:
        raise SystemFault(f"`bicoastal deploy` ended with {command.code}:\n{command.said}")
    with run.phase("plan"):
        said = run.operator.types("plan", "--format", "json", spec=spec).said
    try:
        run.notes["plan_empty"] = json.loads(said[said.index("{") :])["empty"]
    except (ValueError, KeyError) as error:
        raise SystemFault(f"`bicoastal plan --format json` printed no JSON:\n{said}") from error


def _changed(run: Run) -> Path:
    spec = release(run, "changed", as_it_is)
    data = yaml.safe_load(spec.read_text())
    data["promise"]["rpo_seconds"] += 1
    spec.write_text(yaml.safe_dump(data, sort_keys=False))
    return spec


def _lose(run: Run) -> None:
    """Its own API refuses; that of the survivor answers badly."""
    faults = run.stage.twin.faults
    faults.fail_api(*_dice(run, run.standby))
    run.fault, run.lost = faults.lose_region(run.home, "refuse"), run.home


def _answer_well(run: Run) -> None:
    """Calls that met a fault are counted first."""
    record = [seen for seen in run.stage.calls() if seen["at"] >= run.notes["throttled_from"]]
    calls = of_operator(record, run.operator.access_key_ids)
    run.notes["calls"] = len(calls)
    run.notes["calls_that_met_a_fault"] = sum(call.outcome in _MET for call in calls)
    run.stage.twin.faults.fail_api()


def _give_back(run: Run) -> None:
    _answer_well(run)
    deeds.give_back(run)


def judge_deployed(run: Run, _: Evidence) -> Judged:
    """`deploy` ended with 0, and what it was to change is changed."""
    found, empty = run.notes.get("deploy"), run.notes.get("plan_empty")
    if found is None:
        return False, "it was not typed"
    said = f"ended with {found['code']} after {found['seconds']:.0f} s"
    return found["code"] == 0 and bool(empty), f"{said}; `plan` says that {'nothing' if empty else 'more'} is to change"


def judge_met(run: Run, _: Evidence) -> Judged:
    """Without such calls nothing was shown."""
    met, calls = run.notes.get("calls_that_met_a_fault", 0), run.notes.get("calls", 0)
    return met > 0, f"{met} of {calls} calls were throttled, answered 503 or reset"


EXPERIMENTS = (
    Experiment(
        "throttled",
        "AWS's API throttles, fails and hangs at random while the home region is lost",
        given=STEADY,
        when=(
            Deed("the API answers badly, everywhere", _throttle),
            Deed("an operator types `bicoastal deploy`", _deploy),
            Deed("the home region is lost, and the survivor's API answers badly", _lose),
            Deed("the operator types `bicoastal failover`", deeds.fail_over),
            Deed("users look for who serves them", deeds.served),
        ),
        then=(
            Promise("`bicoastal deploy` ends right", judge_deployed),
            Promise("the commands met what they were to meet", judge_met),
            *FAILOVER,
        ),
        afterwards=(
            Deed("the API answers well, and the home region returns", _give_back),
            Deed("the old primary fences itself", deeds.fenced),
            Deed("both databases are asked for their rows", deeds.count_both),
            Deed("the operator brings the primary home", deeds.back_home),
            STEADY_AGAIN,
        ),
        predicts=True,
        measured=True,
        stays=_COUNTED,
        stays_in_a_row=True,
    ),
)
