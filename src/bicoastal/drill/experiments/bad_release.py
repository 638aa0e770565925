"""A version that must not be deployed: one that is not well, one that is too slow, one that dies an hour later.

bad-release           its health path does not answer 200
bad-release-slow      it answers, but later than the balancer waits for its targets
bad-release-crashes   it is well when it is accepted, and dies again and again afterwards

The first two never reach a user: a server that does not become well within `SIGNAL_DEADLINE_S` of the units says so to
CloudFormation, which ends the rolling update after the first one and puts the old version back. The third passes that.
CloudFormation watches its region for `app.watch_minutes` more, and takes it back when what dies is met by more than
`alarms.DEAD_PERCENT` of a minute's requests. The region with the primary comes after the other, and never gets it.
Its bar is arithmetic, in template time: a server that has died answers first, so that the balancer sends it up to all
requests of its region, half of all, for the target group's two checks at 5 s and a timeout of 4 s. Two die, and one of
them once more before both are gone: 3 x 14 / 2 s in the `LIVES_S` and some 300 s of rolling there and back, or one in
forty-three. It may be one in thirty: a process needs its seconds to start at every pace.
A version that lives longer than it is watched is deployed, and its alarm tells people; the way back is then a `deploy`
of the old one.

Releases are the bundle that the stage runs, with another `app.command`: no release command is run for them.
"""

from __future__ import annotations

import io
import json
import shlex
import shutil
import tarfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from bicoastal.blueprint.service.balancer import HEALTH_TIMEOUT_S
from bicoastal.core.errors import SystemFault
from bicoastal.drill import deeds
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.promises import NOTHING_LOST, few_fail
from bicoastal.drill.steady import STEADY, STEADY_AGAIN
from bicoastal.spec.load import load
from bicoastal.stacks.view import view
from bicoastal.twin.faults import Act

LIVES_S = 600.0
FAILED = 3
"""How `deploy` ends where a stack has failed."""
_RANG = "First cause: the alarm "
_WATCHED = "changed, and watched for "
_SLOW = (
    "import http.server as h, os, time; "
    "answer = lambda it: (time.sleep({seconds:g}), it.send_response(200), it.end_headers()); "
    "slow = type('Slow', (h.BaseHTTPRequestHandler,), dict(do_GET=answer, do_POST=answer)); "
    "h.ThreadingHTTPServer((os.environ['HOST'], int(os.environ['PORT'])), slow).serve_forever()"
)
Change = Callable[[Run, str], str]
"""The command that starts the release, of the one that starts the application."""


def _unwell(_: Run, command: str) -> str:
    del command
    # The folder's files, and so no health path.
    return 'exec python3.11 -m http.server --bind "$HOST" "$PORT"'


def _slow(run: Run, command: str) -> str:
    del command
    program = _SLOW.format(seconds=run.stage.pace.seconds(HEALTH_TIMEOUT_S * 1.5))
    return f"exec python3.11 -c {shlex.quote(program)}"


def _mortal(run: Run, command: str) -> str:
    return f"exec timeout --signal=KILL {run.stage.pace.seconds(LIVES_S):g} /bin/sh -c {shlex.quote(command)}"


def as_it_is(_: Run, command: str) -> str:
    """Nothing is changed."""
    return command


def release(run: Run, name: str, change: Change) -> Path:
    """The spec of a version that is made of the one that runs; its bundle is the same where nothing is changed."""
    package = run.stage.package
    if package is None:
        raise SystemFault("nothing is deployed, of which a release could be made")
    folder = run.stage.folder / "releases" / name
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(package.artifacts["application"].content)) as bundle:
        bundle.extractall(folder / "app", filter="data")
    data = load(run.stage.script.spec).model_dump(mode="json", exclude_none=True)
    app = data["app"]
    # Its dependencies are in the bundle.
    app.pop("build", None)
    data["app"] = {**app, "folder": "app", "command": change(run, app["command"])}
    spec = folder / "bicoastal.yaml"
    spec.write_text(yaml.safe_dump(data, sort_keys=False))
    return spec


def _deploy(run: Run, name: str, change: Change, *, note: str) -> None:
    """Type it once, whatever comes of it."""
    spec = release(run, name, change)
    began = time.time()
    if run.fault is None:
        run.fault = Act(f"{name} is released", began, began)
    with run.phase(f"deploy ({name})"):
        command = run.operator.types("deploy", spec=spec)
    lines = command.said.splitlines()
    run.notes[note] = {
        "code": command.code,
        "seconds": round(command.ended - command.began, 1),
        "watched": [line.strip() for line in lines if _WATCHED in line],
        "rang": [line.strip() for line in lines if _RANG in line],
        "said": lines[-12:],
    }


def _planned(run: Run, name: str, change: Change) -> dict[str, Any]:
    """What `plan` says of a release, as its JSON."""
    said = run.operator.types("plan", "--format", "json", spec=release(run, name, change)).said
    try:
        found: dict[str, Any] = json.loads(said[said.index("{") :])
    except ValueError as error:
        raise SystemFault(f"`bicoastal plan --format json` printed no JSON:\n{said}") from error
    return found


def _plan(run: Run) -> None:
    with run.phase("plan"):
        run.notes["plan_of_the_old"] = _planned(run, "old", as_it_is)["empty"]
    run.served_until = time.time()


def _deploy_mortal(run: Run) -> None:
    before = _changed_at(run, run.home)
    _deploy(run, "bad-release-crashes", _mortal, note="release")
    run.notes["untouched"] = before == _changed_at(run, run.home)


def _changed_at(run: Run, region: str) -> datetime | None:
    """When the service's stack there was changed last."""
    found = view(run.stage.session, f"{run.stage.script.name}-service", region)
    if found is None:
        raise SystemFault(f"there is no service's stack in {region}")
    return found.changed_at


def judge_stopped(run: Run, _: Evidence) -> Judged:
    """It was not deployed, and the old version was put back by CloudFormation."""
    found = run.notes.get("release")
    if found is None:
        return False, "it was not released"
    said = f"`bicoastal deploy` ended with {found['code']} after {found['seconds']:.0f} s"
    back = any("Rolled back" in line for line in found["said"])
    return found["code"] == FAILED and back, f"{said}{', rolled back' if back else ', and said nothing of a rollback'}"


def judge_taken_back(run: Run, found: Evidence) -> Judged:
    """It was not stopped at its first server: its alarm took it back, and `deploy` names it."""
    stopped, said = judge_stopped(run, found)
    rang = (run.notes.get("release") or {}).get("rang", ())
    return stopped and bool(rang), f"{said}; {rang[0] if rang else 'no alarm is named'}"


def judge_untouched(run: Run, _: Evidence) -> Judged:
    """Nothing of the service was changed in the primary's region."""
    untouched = run.notes.get("untouched")
    if untouched is None:
        return False, "it was not looked at"
    return bool(untouched), f"the service's stack in {run.home} was {'not ' if untouched else ''}changed"


def judge_plan(run: Run, _: Evidence) -> Judged:
    """By CloudFormation's own change sets everything is as the old version has it."""
    empty = run.notes.get("plan_of_the_old")
    if empty is None:
        return False, "it was not asked"
    return bool(empty), "nothing to change" if empty else "it is not as it was"


_PLAN = Promise("`bicoastal plan` of the old version says that there is nothing to change", judge_plan)
_UNTOUCHED = few_fail("hardly a user notices: at most one request in a hundred fails", 0.01)


def _stopped(name: str, title: str, change: Change) -> Experiment:
    return Experiment(
        name,
        title,
        given=STEADY,
        when=(
            Deed(
                "an operator types `bicoastal deploy`",
                lambda run: _deploy(run, name, change, note="release"),
            ),
            Deed("and `bicoastal plan` of the old version", _plan),
        ),
        then=(
            Promise("the rolling update stops at the first server, and the old version is put back", judge_stopped),
            _PLAN,
            _UNTOUCHED,
            NOTHING_LOST,
        ),
        afterwards=(
            Deed("the database is asked for its rows", lambda run: deeds.count(run, run.home)),
            STEADY_AGAIN,
        ),
        traceless=True,
    )


EXPERIMENTS = (
    _stopped("bad-release", "a version is released that does not become well", _unwell),
    _stopped("bad-release-slow", "a version is released that answers too late", _slow),
    Experiment(
        "bad-release-crashes",
        "a version is released that dies some time later",
        given=STEADY,
        when=(
            Deed(
                "an operator types `bicoastal deploy`, and the servers of the new version die",
                _deploy_mortal,
            ),
            Deed("and `bicoastal plan` of the old version", _plan),
        ),
        then=(
            Promise("its alarm rings while it is watched, and CloudFormation puts the old one back", judge_taken_back),
            Promise("the primary's region, which comes last, has not got it", judge_untouched),
            _PLAN,
            few_fail("what dies costs at most one request in thirty", 1 / 30),
            NOTHING_LOST,
        ),
        afterwards=(
            Deed("the database is asked for its rows", lambda run: deeds.count(run, run.home)),
            STEADY_AGAIN,
        ),
        traceless=True,
    ),
)
