"""The regions do not see each other, and users reach both: no packet between them arrives; DNS and the API are there.

partition          nothing is promoted by itself: the primary's region serves on, the other one reads on, without writes
partition-forced   an operator forces a failover meanwhile: what the former primary acknowledged until it was fenced is
                   not in the new one, and `rejoin` lists it, row by row

Bars: nobody who is served all the time waits for an answer for longer than the sample application's deadline for a
request (5 s, which no pace changes), one attempt and a second of the machine's: a fence or a region without reads would
last for most of the partition, which is ten times the kit's patience. Writes come back within that deadline, and one
attempt.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from bicoastal.aws.faults import aws_faults
from bicoastal.core.errors import SystemFault
from bicoastal.drill import deeds
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.in_region import APPLICATION_S, HICCUP_S, within_bar
from bicoastal.drill.ledger import Entry
from bicoastal.drill.measure import READS, WRITES, longest_wait, recovery
from bicoastal.drill.promises import NOTHING_LOST
from bicoastal.drill.steady import STEADY, STEADY_AGAIN, STEADY_MOVED
from bicoastal.drill.users import PATIENCE_S
from bicoastal.operate.journal import PREFIX as JOURNALS

LOOK_S = 0.5
"""Between two looks: each takes the machine that everything runs on."""
APART_S = 150.0
"""Template seconds that it lasts: ten times what a primary that sees nobody waits before it fences itself."""
BOTH_WRITE_S = 60.0
"""Of it before somebody forces a failover."""
REASON = "a rehearsal: the regions do not see each other"
_STATE = "SELECT pg_is_in_recovery(), epoch, fence_reason FROM bicoastal.state"
_FENCE = "SELECT extract(epoch FROM fenced_at)::float8, fence_reason FROM bicoastal.state"
_PROMOTE, _AUDIT = "promote", "audit"
_FILE = re.compile(r"\S+-diverged\.jsonl")


def _cut(run: Run) -> None:
    run.notes["before"] = _states(run)
    run.fault = run.stage.twin.faults.partition(run.home, run.standby, "black-hole")


def _states(run: Run) -> dict[str, list[object] | None]:
    """By region: whether it follows, its epoch, and why it is fenced."""
    found = {region: run.stage.rows(region, _STATE) for region in (run.home, run.standby)}
    return {region: list(rows[0]) if rows else None for region, rows in found.items()}


def _watch(run: Run) -> None:
    """For so long; each state of a database meanwhile is kept."""
    seen: list[dict[str, list[object] | None]] = []
    end = time.monotonic() + run.stage.pace.seconds(APART_S)
    with run.phase("apart"):
        while time.monotonic() < end:
            now = _states(run)
            if now not in seen:
                seen.append(now)
            time.sleep(LOOK_S)
    run.notes["meanwhile"] = seen


def _heal(run: Run) -> None:
    """Where it is not yet."""
    if run.returned is None:
        run.returned = run.stage.twin.faults.heal(run.home, run.standby)


def _apart(run: Run, found: Evidence) -> tuple[float, float] | None:
    """From the cut to the healing."""
    del found
    if run.fault is None or run.returned is None:
        return None
    return run.fault.ended, run.returned.began


def served_throughout(coast: Callable[[Run], str], kinds: frozenset[str]) -> Callable[[Run, Evidence], Judged]:
    """Users of a coast wait for nothing while the regions do not see each other, and their own region answers."""

    def judge(run: Run, found: Evidence) -> Judged:
        times = _apart(run, found)
        if times is None:
            return False, "it was not healed"
        where = coast(run)
        wait = longest_wait(found.entries, kinds, where, *times)
        elsewhere = {
            entry.region
            for entry in found.entries
            if entry.coast == where and entry.kind in kinds and not entry.pinned and times[0] < entry.ended <= times[1]
        } - {where, ""}
        if elsewhere:
            return False, f"served by {', '.join(sorted(elsewhere))}"
        if wait.seconds is None:
            return False, "nobody asked"
        said = f"at most {wait.seconds:.1f} s between two answers ({wait.user}), bar {HICCUP_S:.1f} s"
        return wait.seconds <= HICCUP_S, said

    return judge


def judge_refused(run: Run, found: Evidence) -> Judged:
    """Rows from the standby's coast are acknowledged by nobody while the regions do not see each other."""
    times = _apart(run, found)
    if times is None:
        return False, "it was not healed"
    asked = [
        entry
        for entry in found.entries
        if entry.coast == run.standby and entry.kind in WRITES and entry.began > times[0] and entry.ended < times[1]
    ]
    stored = [entry for entry in asked if entry.served]
    said = ", ".join(sorted({entry.error for entry in asked if entry.error}))
    return bool(asked) and not stored, f"{len(stored)} of {len(asked)} were acknowledged; the others saw: {said}"


def judge_nothing_moved(run: Run, _: Evidence) -> Judged:
    """Roles and epochs are what they were, and nobody was fenced."""
    before, meanwhile = run.notes.get("before"), run.notes.get("meanwhile")
    if not before or not meanwhile or None in before.values():
        return False, "the databases were not seen"
    other = [state for seen in meanwhile for region, state in seen.items() if state not in (before[region], None)]
    unseen = [region for region in before if all(seen[region] is None for seen in meanwhile)]
    if other or unseen:
        return False, f"seen meanwhile: {other[0] if other else 'nothing of ' + unseen[0]}"
    epochs = {state[1] for state in before.values()}
    fenced = [region for region, state in before.items() if state[2] is not None]
    return len(epochs) == 1 and not fenced, f"epoch {', '.join(map(str, epochs))} on both sides, and no fence"


def judge_back(run: Run, found: Evidence) -> Judged:
    """Writes of the standby's coast come back with the way."""
    if run.returned is None:
        return False, "it was not healed"
    mine = [entry for entry in found.entries if entry.coast == run.standby]
    return within_bar(recovery(mine, WRITES, run.returned.ended, until=found.until), APPLICATION_S + PATIENCE_S)


# Forced.


def _both_write(run: Run) -> None:
    """Long enough that the home region has acknowledged rows which the standby never got."""
    if run.fault is None:
        raise SystemFault("nothing was cut")
    end = run.fault.ended + run.stage.pace.seconds(BOTH_WRITE_S)

    def told(entry: Entry) -> bool:
        return entry.kind in WRITES and entry.served and entry.region == run.home and entry.ended > end

    with run.phase("apart"):
        run.wait(
            "rows are acknowledged at home all the while",
            lambda: any(told(entry) for entry in run.users.entries()),
            deeds.SERVED_S,
        )


def _force(run: Run) -> None:
    _listen(run)
    with run.phase("failover"):
        run.failover = run.operator.insists("failover", "--force", REASON, within_s=deeds.FAILOVER_S)


def _listen(run: Run) -> None:
    """A rule of the team's own on the survivor's event bus, and a queue that keeps what it hears."""
    session, region = run.stage.session, run.standby
    with aws_faults(f"listening to the event bus in {region}"):
        queues, events = session.client("sqs", region), session.client("events", region)
        queue = queues.create_queue(QueueName=_AUDIT)["QueueUrl"]
        arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name=_AUDIT, EventPattern=json.dumps({"source": ["bicoastal"]}))
        events.put_targets(Rule=_AUDIT, Targets=[{"Id": "queue", "Arn": arn}])
    run.kept["queue"] = queue


def _look_at_the_audit(run: Run) -> None:
    """What the journal in the survivor's bucket and the event bus keep of it, for who was not there."""
    session, region, prefix = run.stage.session, run.standby, run.stage.script.name
    with aws_faults(f"reading the journal in {region}"):
        stack = session.client("cloudformation", region).describe_stacks(StackName=f"{prefix}-foundation")["Stacks"][0]
        bucket = next(item["OutputValue"] for item in stack["Outputs"] if item["OutputKey"] == "ArtifactBucket")
        store = session.client("s3", region)
        found = store.list_objects_v2(Bucket=bucket, Prefix=f"{JOURNALS}journal/").get("Contents", [])
        text = [store.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().decode() for item in found]
        messages = session.client("sqs", region).receive_message(QueueUrl=run.kept["queue"], MaxNumberOfMessages=10)
    lines = [json.loads(line) for one in text for line in one.splitlines()]
    run.kept["journal"] = [line for line in lines if line["what"] == "overridden"]
    run.kept["events"] = [json.loads(message["Body"]) for message in messages.get("Messages", [])]
    rows = run.stage.rows(run.home, _FENCE)
    run.notes["fenced"] = list(rows[0]) if rows else None


def judge_audited(run: Run, _: Evidence) -> Judged:
    """Who, when, why, and what was overridden, in both places."""
    journal, events = run.kept.get("journal"), run.kept.get("events")
    if not journal or not events:
        return False, f"{len(journal or ())} lines of the journal, {len(events or ())} events"
    line, told = journal[-1], events[-1]
    detail = told["detail"] if isinstance(told["detail"], dict) else json.loads(told["detail"])
    whole = (
        line["reason"] == detail["reason"] == REASON
        and line["who"] == detail["who"]
        and "@" in line["who"]
        and all(line.get(name) for name in ("at", "doubt", "seen"))
        and told["detail-type"] == "Guard overridden"
        and any(text == f"{line['doubt']}: {line['seen']}" for text in detail["overridden"])
    )
    return whole, f"{line['who']} at {line['at']}, for {line['reason']!r}: {line['doubt']}: {line['seen']}"


def judge_fenced_first(run: Run, _: Evidence) -> Judged:
    """Two databases take rows at no moment: the former one is fenced before the other is promoted."""
    fenced = run.notes.get("fenced")
    step = run.failover.step(_PROMOTE) if run.failover is not None else None
    if not fenced or fenced[0] is None or step is None:
        return False, "the former primary was not seen to be fenced, or nothing was promoted"
    at, reason = fenced
    return at <= step.began, f"fenced ({reason}) {step.began - at:.1f} s before the promotion began"


def _rejoin(run: Run) -> None:
    with run.phase("rejoin"):
        command = run.operator.insists("rejoin", within_s=deeds.HOME_S)
    files = [Path(path) for path in _FILE.findall(command.said)]
    run.kept["listed"] = [row for path in files for row in _rows(path)]
    run.notes["listed_rows"] = len(run.kept["listed"])


def _rows(path: Path) -> Sequence[object]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def judge_listed(run: Run, found: Evidence) -> Judged:
    """What the former primary alone has is in `rejoin`'s list, all of it and nothing else."""
    listed, survivor, stale = run.kept.get("listed"), run.survivor_rows, run.stale_rows
    if listed is None or survivor is None or stale is None:
        return False, "the operator has no list, or a database was not asked"
    ids = {str(row["row"]["id"]) for row in listed if row["table"].endswith("orders")}
    alone = set(stale) - set(survivor)
    # Somebody was not told that home had stored his row, and sent it again, to the other region: each has a version.
    sent = Counter(entry.id for entry in found.entries if entry.kind in WRITES)
    twice = {id_ for id_ in (ids - alone) & set(stale) & set(survivor) if sent[id_] > 1}
    said = f"{len(alone)} rows are in {run.home} alone, {len(ids - twice)} are listed"
    said += f", and {len(twice)} that were stored on both sides" if twice else ""
    if ids - twice != alone:
        return False, f"{said}; the first that differs: {sorted((ids - twice) ^ alone)[0]}"
    return bool(alone), said


def judge_accounted(run: Run, found: Evidence) -> Judged:
    """An acknowledged row that the survivor lacks is one of those: nothing is lost without a word."""
    lost, stale = found.loss, run.stale_rows
    if lost is None or stale is None:
        return False, "a database was not asked"
    gone = [id_ for id_ in lost.lost if id_ not in stale]
    said = f"{len(lost.lost)} of {lost.acknowledged} acknowledged rows are not in {run.standby}"
    return not gone, f"{said}, {len(gone)} of them nowhere" if gone else f"{said}; each is in {run.home}"


def judge_forced(run: Run, _: Evidence) -> Judged:
    """Refused without a word of why; with it, done."""
    refused = run.notes.get("refused")
    done = run.failover is not None and run.failover.code == 0
    return refused is not None and done, f"the guard refused: {refused}" if refused else "the guard did not refuse"


def _refused(run: Run) -> None:
    command = run.operator.types("failover")
    if command.code != 1:
        raise SystemFault(f"`{command.text}` ended with {command.code}:\n{command.said}")
    doubts = [line.strip() for line in command.said.splitlines() if line.startswith("  home is alive")]
    run.notes["refused"] = doubts[0] if doubts else None


_CUT = Deed("the ways between the regions are cut, and say nothing", _cut)
_HEAL = Deed("the regions see each other again", _heal)

EXPERIMENTS = (
    Experiment(
        "partition",
        "the regions do not see each other, and users reach both",
        given=STEADY,
        when=(
            _CUT,
            Deed("nobody does anything for two and a half minutes", _watch),
            _HEAL,
            Deed("users are served again", deeds.served),
            Deed("the database is asked for its rows", lambda run: deeds.count(run, run.home)),
        ),
        afterwards=(Deed("the regions see each other, whatever happened", _heal), STEADY_AGAIN),
        then=(
            Promise("users near the primary read there all the time", served_throughout(lambda run: run.home, READS)),
            Promise("and write there", served_throughout(lambda run: run.home, WRITES)),
            Promise(
                "users near the replica read there all the time", served_throughout(lambda run: run.standby, READS)
            ),
            Promise("their rows are refused, and none is acknowledged", judge_refused),
            Promise(
                "nothing is promoted by itself, and the primary, which sees the witness, is not fenced",
                judge_nothing_moved,
            ),
            Promise(
                "with the way their writes are back, within the application's deadline and one attempt", judge_back
            ),
            NOTHING_LOST,
        ),
        traceless=True,
    ),
    Experiment(
        "partition-forced",
        "the regions do not see each other, and an operator forces a failover",
        given=STEADY,
        when=(
            _CUT,
            Deed("both regions are asked for a while", _both_write),
            Deed("an operator types `bicoastal failover`, which is refused", _refused),
            Deed("an operator types it with `--force` and a reason", _force),
            Deed("users look for who serves them", deeds.served),
            _HEAL,
            Deed("both databases are asked for their rows", deeds.count_both),
            Deed("somebody reads what the audit keeps", _look_at_the_audit),
            Deed("the operator types `bicoastal rejoin`", _rejoin),
        ),
        afterwards=(Deed("the regions see each other, whatever happened", _heal), STEADY_MOVED),
        then=(
            Promise(
                "the guard refuses to promote beside a primary that is alive, and gives way to a reason", judge_forced
            ),
            Promise("who overrode what, when and why is in the journal, and told as an event", judge_audited),
            Promise("the former primary is fenced before the new one is promoted", judge_fenced_first),
            Promise("an acknowledged row that the new primary lacks is in the former one", judge_accounted),
            Promise("`rejoin` lists those rows, and no other, in a file", judge_listed),
        ),
    ),
)
