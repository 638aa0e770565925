"""Emergency access: a responder opens one server, types a line there, and leaves it to close by itself.

Bar of the end: the second of the two schedules that stand for the document, should that not live, is due two minutes
after it. Whatever is open then is open for longer than anybody was told.
"""

from __future__ import annotations

import json
import time
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.core.errors import SystemFault
from bicoastal.drill import deeds, looks
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.promises import NOTHING_LOST
from bicoastal.drill.responder import Responder
from bicoastal.drill.steady import STEADY, STEADY_AGAIN
from bicoastal.twin.faults import Act

MINUTES = 5
LATEST_MINUTES = MINUTES + 2
TAG = "bicoastal:emergency-access"
LINE = "cat /opt/bicoastal/etc/kit.json"
_SEEN_S = 60.0
_REPLACED_S = 900.0
"""In template time: one is launched and becomes well, and the other's connections are drained."""
_BOOT_S = 120.0
"""For what a boot really takes, at any pace."""
_MACHINE_S = 5.0
"""For the programs that close it, on a machine that does everything else, too."""


def _try(run: Run, note: str) -> None:
    """Every way in, as the responder."""
    run.notes[note] = _responder(run).refusals(_instance(run))


def _responder(run: Run) -> Responder:
    if "responder" not in run.kept:
        run.kept["responder"] = Responder(run.stage, run.home)
    found: Responder = run.kept["responder"]
    return found


def _instance(run: Run) -> str:
    if "instance" not in run.notes:
        run.notes["instance"] = min(looks.fleet(run, run.home).zones)
    return str(run.notes["instance"])


def _open(run: Run) -> None:
    began = time.time()
    words = ("access", "open", _instance(run), "--for", f"{MINUTES}m", "--reason", "DRILL-1: a rehearsal")
    with run.phase("the server is opened"):
        command = _responder(run).keyboard.types(*words)
    run.operator.commands.append(command)
    if command.code:
        raise SystemFault(f"`{command.text}` ended with {command.code}:\n{command.said}")
    run.fault = Act("a server was opened", began, time.time())


def _use(run: Run) -> None:
    """The session stays open: it is not for the responder to end it."""
    run.kept["shell"] = shell = _responder(run).enters(_instance(run))
    code, said = shell.run(LINE)
    run.notes["typed"] = {"code": code, "said": said.strip()[:200], "on_it": run.home in said}
    run.notes["refused_while_open"] = {
        way: refused for way, refused in _responder(run).refusals(_instance(run)).items() if way != "the session"
    }


def _await_end(run: Run) -> None:
    def closed() -> bool:
        _rang(run)
        return not _tagged(run)

    most = run.stage.pace.seconds(LATEST_MINUTES * 60) + _SEEN_S
    with run.phase("it is open"):
        run.wait("the tag is gone", closed, most)
        run.notes["closed_after_s"] = round(time.time() - (run.fault.ended if run.fault else 0.0), 2)
        run.notes["session_ended"] = run.kept.pop("shell").await_end(_SEEN_S)


def _tagged(run: Run) -> bool:
    filters = [{"Name": "resource-id", "Values": [_instance(run)]}, {"Name": "key", "Values": [TAG]}]
    with aws_faults("looking for the tag"):
        return bool(run.stage.session.client("ec2", run.home).describe_tags(Filters=filters)["Tags"])


def _await_replacement(run: Run) -> None:
    def replaced() -> bool:
        fleet = looks.fleet(run, run.home)
        _rang(run)
        return _instance(run) not in fleet.ids and len(fleet.zones) >= fleet.desired

    with run.phase("the server is replaced"):
        run.wait("the server is replaced", replaced, run.stage.pace.seconds(_REPLACED_S) + _BOOT_S)
    run.notes["replaced"] = True


def _read_records(run: Run) -> None:
    """The alarm, the trail, and the session's own log."""
    name = _responder(run).name
    run.wait("the alarm rings", lambda: _rang(run), _SEEN_S)
    trail = _events(run, "trail")
    run.notes["trail"] = sorted({e["eventName"] for e in trail if str(e["userIdentity"]["arn"]).endswith(f"/{name}")})
    run.notes["logged"] = any(LINE in line for event in _events(run, "sessions") for line in event["sessionData"])


def _rang(run: Run) -> bool:
    """Looked for all the time: it is quiet again as soon as what it counts is five minutes past."""
    alarm = f"emergency-access-{run.home}"
    if "alarm" not in run.notes and looks.alarms(run, run.home).get(alarm) == "ALARM":
        run.notes["alarm"] = alarm
    return "alarm" in run.notes


def _events(run: Run, group: str) -> list[Any]:
    with aws_faults(f"reading /{run.stage.script.name}/{group}"):
        pages = run.stage.session.client("logs", run.home).get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=f"/{run.stage.script.name}/{group}")
        return [json.loads(event["message"]) for page in found for event in page["events"]]


def _hang_up(run: Run) -> None:
    shell = run.kept.pop("shell", None)
    if shell is not None:
        shell.__exit__(None, None, None)


def judge_denied(run: Run, _: Evidence) -> Judged:
    """Every way in was tried before and after, and while it was open every way but the session."""
    parts = {"before": "refused_before", "while it was open": "refused_while_open", "after": "refused_after"}
    tried = {part: run.notes.get(note) for part, note in parts.items()}
    for part, ways in tried.items():
        if not ways:
            return False, f"nobody tried {part}"
        let_in = [way for way, refused in ways.items() if not refused]
        if let_in:
            return False, f"{part} AWS allowed {', '.join(let_in)}"
    return True, f"denied: {', '.join(tried['before'] or ())}"


def judge_used(run: Run, _: Evidence) -> Judged:
    """The line ran, on that server."""
    typed = run.notes.get("typed")
    if typed is None:
        return False, "nobody got in"
    return typed["code"] == 0 and typed["on_it"], f"`{LINE}` ended with {typed['code']}: {typed['said'][:60]}"


def judge_end(run: Run, _: Evidence) -> Judged:
    """Tag and session were gone in time, with nobody doing anything."""
    seconds, session = run.notes.get("closed_after_s"), run.notes.get("session_ended")
    if seconds is None or session is None:
        return False, "it was not seen to end"
    bar = run.stage.pace.seconds(LATEST_MINUTES * 60) + _MACHINE_S
    said = f"{seconds:.1f} s after it was open, at most {bar:.1f} s; {session}"
    return seconds <= bar and "terminated" in session, said


def judge_replaced(run: Run, _: Evidence) -> Judged:
    """The fleet is whole, without it."""
    return bool(run.notes.get("replaced")), "the fleet is whole without it" if run.notes.get(
        "replaced"
    ) else "it stayed"


def judge_records(run: Run, _: Evidence) -> Judged:
    """Alarm, trail and log."""
    trail = run.notes.get("trail")
    if trail is None:
        return False, "the alarm did not ring, or nobody looked"
    missing = {"StartAutomationExecution", "StartSession"} - set(trail)
    if missing:
        return False, f"the trail has no {' and no '.join(sorted(missing))} of the responder"
    if not run.notes.get("logged"):
        return False, "what was typed is not in the session's log"
    return True, f"{run.notes['alarm']} rang; the trail has {', '.join(trail)}; the log has the line"


EXPERIMENTS = (
    Experiment(
        "emergency",
        "a responder needs to get into a server",
        given=STEADY,
        when=(
            Deed("a responder, signed in with a code, tries every way in", lambda run: _try(run, "refused_before")),
            Deed(f"he types `bicoastal access open` for {MINUTES} minutes", _open),
            Deed("he opens a session, and types a line", _use),
            Deed("nobody does anything until it is over", _await_end),
            Deed("he tries every way in again", lambda run: _try(run, "refused_after")),
            Deed("Auto Scaling replaces the server", _await_replacement),
            Deed("alarm, trail and the session's log are read", _read_records),
            Deed("users are served", deeds.served),
            Deed("the database is asked for its rows", lambda run: deeds.count(run, run.home)),
        ),
        afterwards=(Deed("whoever is still in hangs up", _hang_up), STEADY_AGAIN),
        then=(
            Promise("nobody gets in before and after, and in between by the one session document alone", judge_denied),
            Promise("what the responder typed ran on the server", judge_used),
            Promise("the tag goes and the session ends by themselves, before the last schedule", judge_end),
            Promise("the server is replaced", judge_replaced),
            Promise("the alarm rings, and trail and session log have it", judge_records),
            NOTHING_LOST,
        ),
        traceless=True,
    ),
)
