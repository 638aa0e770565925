"""Kills operators at every step of every operation, and asks the same command again: on a running twin.

    python -m bench.operations [--how refuse|black-hole] [--rounds N] [--at-most N] [--seed N] [--looks]

A round makes a backup and its copy, loses us-east-1 under load, fails over, restores the copy beside the survivor,
brings us-east-1 back, rejoins, and goes home by a switchover with its rejoin. In each operation every step that it
begins is killed once, a random moment after it has begun: now before its call, now between the call and its journal
line. A step that was found done, as one before it was killed and went on without an operator, is aimed at in a later
round, which spares those before it: rounds are played until every step of the tables was killed, or as many as may be.
It holds when none is left, every operation ended, the restored database had the backup's rows and is gone, both regions
serve in the end, `plan` and drift are empty, and nothing on the path was asked of what was lost. In each round, and
with `--looks` in nothing but that, it is timed how long somebody waits for `failover --dry-run` and for `status` while
us-east-1 is lost.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import shutil
import signal
import socket
import ssl
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.rehearsal import SPEC, Rehearsal
from bicoastal.cli.build_cache import cache_folder, cached
from bicoastal.cli.package import package
from bicoastal.deploy.deployment import Wishes, plan
from bicoastal.operate.transitions import TABLES, Operation, Step
from bicoastal.stacks.drift import detect
from bicoastal.stacks.view import view

EAST, WEST = "us-east-1", "us-west-2"
_GOING = ("CREATED", "PENDING", "RUNNING")
LOOKS = {("failover", "--dry-run"): 2.0, ("status",): 5.0}
"""What somebody types to see where he stands, and how many seconds it may take beside a lost region."""
OPERATION_S = 300.0
"""An operation that takes longer hangs."""
JOB_S = 120.0
"""A backup or a copy that takes longer hangs."""
_LOOKED = 5


class Writer:
    """Stores rows from a coast without a pause, and keeps what was acknowledged."""

    def __init__(self, rehearsal: Rehearsal, region: str) -> None:
        self._where = urlsplit(rehearsal.twin.front_door.url(region))
        self._context = ssl.create_default_context(cafile=str(rehearsal.twin.ground.authority.certificate))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.acknowledged: list[tuple[str, float]] = []
        self._thread.start()

    def end(self) -> None:
        """No more."""
        self._stop.set()
        self._thread.join(10)

    def ask(self, method: str, path: str, body: str | None = None) -> int:
        """One request; the status, or 0 where no answer came."""
        try:
            with socket.create_connection(("127.0.0.1", self._where.port or 443), timeout=3) as plain:
                door = self._context.wrap_socket(plain, server_hostname=self._where.hostname)
                connection = http.client.HTTPConnection(self._where.netloc, timeout=3)
                connection.sock = door
                connection.request(method, path, body=body, headers={"Connection": "close"})
                status = connection.getresponse().status
                door.close()
                return status
        except (OSError, http.client.HTTPException):
            return 0

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            key = str(uuid.uuid4())
            body = json.dumps({"id": key, "item": "campaign", "quantity": 1})
            if self.ask("POST", "/api/orders", body) in (200, 201):
                self.acknowledged.append((key, time.time()))


class Executioner:
    """Kills operations, and knows in which of their steps it has."""

    def __init__(self, rehearsal: Rehearsal, chance: random.Random) -> None:
        self._rehearsal = rehearsal
        self._chance = chance
        self.met: dict[Operation, set[str]] = {operation: set() for operation in TABLES}

    def unmet(self, operation: Operation) -> set[str]:
        """The steps that were killed in no round yet."""
        return {str(row.step) for row in TABLES[operation]} - {Step.DONE} - self.met[operation]

    def run(self, operation: Operation, *words: str) -> list[str]:
        """Run an operation again and again, killed once in each of its steps; returns what went wrong."""
        unmet, killed = self.unmet(operation), list[str]()
        passed = self._before(operation)
        for _ in range(2 * len(Step)):
            since = time.time()
            process = self._rehearsal.start(*words)
            while process.poll() is None and (now := self._last(operation, since)) in passed | {None}:
                if time.time() > since + OPERATION_S:
                    process.kill()
                    process.communicate()
                    return [f"{operation}, after {killed}: in {now} still after {OPERATION_S:g} s; killed"]
                time.sleep(0.001)
            if process.poll() is None:
                passed.add(str(now))
                # In the middle of it, or past it: but where a round aims, or none has been yet, before it is over.
                aims = (0.0,) if self.met[operation] else (0.0, 0.005, 0.02)
                time.sleep(self._chance.choice(aims if now in unmet else (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)))
                process.kill()
            said, _ = process.communicate()
            if process.returncode == 0:
                self.met[operation].update(killed)
                print(f"    {operation} done, killed in: {', '.join(killed) or 'nothing'}", flush=True)
                return []
            if process.returncode != -signal.SIGKILL:
                return [f"{operation}, after {killed}: exit {process.returncode}: {said[-800:]}"]
            died = self._last(operation, since, alive=False)
            killed += [died] if died is not None and died not in killed else []
            passed.update(killed)
        return [f"{operation} never ended"]

    def _before(self, operation: Operation) -> set[str]:
        """The steps before one that other rounds never met, now without, now with the last one of them.

        Killed in those, an operation finds it done: it went on beside. Killed in the last one alone it begins with it,
        which takes longer than in passing.
        """
        steps, unmet = [str(row.step) for row in TABLES[operation]], self.unmet(operation)
        if not unmet or not self.met[operation]:
            return set()
        aimed = steps.index(self._chance.choice(sorted(unmet)))
        return set(steps[: max(0, aimed - self._chance.choice((0, 1)))])

    def _last(self, operation: Operation, since: float, *, alive: bool = True) -> str | None:
        """The step that the journal here began last since then; of a dead one only if it had not said that it is done.

        What else is noted beside does not count.
        """
        step, oldest = None, f"{datetime.fromtimestamp(since - 1, UTC):%Y%m%dT%H%M%SZ}"
        for file in (self._rehearsal.folder / "state").rglob(f"*-{operation}.jsonl"):
            if file.name < oldest:  # each run has a file of its own, named by when it began
                continue
            for line in lines(file):
                if line.get("what") in ("begins", "done") and stamp(line) >= since:
                    step = line["step"] if line["what"] == "begins" or alive else None
        return step


def lines(journal: Path) -> Iterator[dict[str, Any]]:
    """Those of an operation, without one that is being written."""
    yield from (json.loads(text) for text in journal.read_text().splitlines() if text.endswith("}"))


def stamp(line: dict[str, str]) -> float:
    """When it was written."""
    return datetime.fromisoformat(line["at"]).timestamp() + 0.001


def writing(writers: list[Writer], within_s: float) -> list[str]:
    """Whether rows are stored from both coasts."""
    for writer in writers:
        end, before = time.time() + within_s, len(writer.acknowledged)
        while len(writer.acknowledged) < before + 5:
            if time.time() > end:
                return ["writes do not succeed on both coasts"]
            time.sleep(0.1)
    return []


def settled(rehearsal: Rehearsal, writers: list[Writer], within_s: float = 60) -> list[str]:
    """Whether everything is as after a deployment."""
    wrong = writing(writers, within_s)
    what = package(
        rehearsal.spec, None, rehearsal.twin.ground.authority.certificate.read_bytes(), cached(cache_folder())
    )
    found = plan(rehearsal.session, what, Wishes())
    wrong += [
        f"plan: {item.entry.id} {[c.logical_id for c in item.changes]}" for item in found.stacks if not item.empty
    ]
    for entry in what.manifest.stacks:
        stack = view(rehearsal.session, entry.name, entry.region)
        if stack is None or not stack.good:
            wrong.append(f"{entry.id} is {stack.status if stack else 'gone'}")
            continue
        wrong += [f"drift: {entry.id} {item}" for item in detect(rehearsal.session, stack).resources]
    return wrong


@dataclass(frozen=True)
class Backup:
    """A recovery point that us-west-2 has a copy of."""

    copy: str
    """Its ARN."""
    least: int
    """Orders that were stored as it began, and as it had ended."""
    most: int


def back_up(rehearsal: Rehearsal) -> Backup:
    """One of the primary in us-east-1, made and copied as the plan makes it."""
    client, prefix = rehearsal.session.client("backup", EAST), rehearsal.prefix
    database = rehearsal.database(EAST)
    (found,) = rehearsal.session.client("rds", EAST).describe_db_instances(DBInstanceIdentifier=database)["DBInstances"]
    role = rehearsal.session.client("iam", EAST).get_role(RoleName=f"{prefix}-backup-{EAST}")["Role"]["Arn"]
    vault = rehearsal.session.client("backup", WEST).describe_backup_vault(BackupVaultName=prefix)["BackupVaultArn"]
    kept = {"IamRoleArn": role, "Lifecycle": {"DeleteAfterDays": 35}}
    least = orders(rehearsal, database)
    job = client.start_backup_job(BackupVaultName=prefix, ResourceArn=found["DBInstanceArn"], **kept)["BackupJobId"]
    point = ended(lambda: client.describe_backup_job(BackupJobId=job))["RecoveryPointArn"]
    most = orders(rehearsal, database)
    job = client.start_copy_job(
        RecoveryPointArn=point, SourceBackupVaultName=prefix, DestinationBackupVaultArn=vault, **kept
    )["CopyJobId"]
    copy = ended(lambda: client.describe_copy_job(CopyJobId=job)["CopyJob"])["DestinationRecoveryPointArn"]
    return Backup(copy, least, most)


def orders(rehearsal: Rehearsal, database: str) -> int:
    """How many there are in a database of us-east-1."""
    ((number,),) = rehearsal.twin.databases.look_into(EAST, database, "app", "SELECT count(*) FROM orders")
    return int(number)


def ended(look: Callable[[], Any]) -> Any:
    """A job of AWS Backup at its good end."""
    end = time.time() + JOB_S
    while (job := look())["State"] in _GOING:
        if time.time() > end:
            raise RuntimeError(f"a job of AWS Backup goes on after {JOB_S:g} s: {job}")
        time.sleep(0.2)
    if job["State"] != "COMPLETED":
        raise RuntimeError(f"a job of AWS Backup ended as {job['State']}: {job.get('StatusMessage')}")
    return job


def restored(rehearsal: Rehearsal, backup: Backup, since: float) -> list[str]:
    """Whether restores since then have read what the backup holds, and left no database behind."""
    journals = (rehearsal.folder / "state").rglob(f"*-{Operation.RESTORE}.jsonl")
    read = [line for file in journals for line in lines(file) if line["what"] == "read" and stamp(line) >= since]
    wrong = [] if read else ["no restore has read its database"]
    for line in read:
        number = line["rows"].get("public.orders") or 0
        if not line["sound"] or not backup.least <= number <= backup.most:
            wrong.append(
                f"restored {number} orders of {backup.least} to {backup.most}: {line['unknown'] or 'all read'}"
            )
    there = rehearsal.session.client("rds", WEST).describe_db_instances()["DBInstances"]
    names = [one["DBInstanceIdentifier"] for one in there]
    return wrong + [f"{name} is still there" for name in names if name.startswith(f"{rehearsal.prefix}-restored-")]


def forbidden(calls: list[dict[str, Any]]) -> list[str]:
    """Calls of control planes that are gone with us-east-1. Those of its own services are made beside the path only."""
    return [f"asked of {call['service']}: {call['action']}" for call in calls if call["service"] in ("iam", "route53")]


def looks(rehearsal: Rehearsal) -> list[str]:
    """How long whole processes take, at the median; returns those that take longer than they may."""
    wrong = []
    for words, limit in LOOKS.items():
        took = []
        for _ in range(_LOOKED):
            begun = time.monotonic()
            rehearsal.run(*words)
            took.append(time.monotonic() - begun)
        median = statistics.median(took)
        said = f"{' '.join(words)}: {median:.2f} s, {median / limit:.2f} of its limit of {limit:g} s"
        print(f"    {said} (at most {max(took):.2f} s)", flush=True)
        if median > limit:
            wrong.append(said)
    return wrong


def a_round(rehearsal: Rehearsal, how: str, executioner: Executioner) -> list[str]:
    """One round; returns what went wrong."""
    writers = [Writer(rehearsal, EAST), Writer(rehearsal, WEST)]
    wrong: list[str] = []
    try:
        wrong += writing(writers, 60)
        backup = back_up(rehearsal)
        print("  a backup is made and copied; us-east-1 is lost", flush=True)
        rehearsal.twin.faults.lose_region(EAST, how)  # type: ignore[arg-type]
        time.sleep(2)
        wrong += looks(rehearsal)
        before = max((call["number"] for call in rehearsal.calls()), default=0)
        wrong += executioner.run(Operation.FAILOVER, "failover")
        begun = time.time()
        wrong += executioner.run(Operation.RESTORE, "backup", "restore", backup.copy, "--discard")
        wrong += forbidden(rehearsal.calls(before))
        wrong += restored(rehearsal, backup, begun)
        print("  us-east-1 is back", flush=True)
        rehearsal.twin.faults.recover_region(EAST)
        wrong += executioner.run(Operation.REJOIN, "rejoin", "--without-list")
        wrong += executioner.run(Operation.SWITCHOVER, "switchover", "--to", EAST)
        wrong += executioner.run(Operation.REJOIN, "rejoin", "--without-list")
        return wrong + settled(rehearsal, writers)
    finally:
        for writer in writers:
            writer.end()


def tagged(folder: Path) -> Path:
    """The sample with tags of its own for a failover: without them the step that sets them has nothing to do."""
    spec = (
        Path(shutil.copytree(SPEC.parent, folder / "orders", ignore=shutil.ignore_patterns("deployment"))) / SPEC.name
    )
    spec.write_text(f'{spec.read_text()}\nfailover_tags: {{cost-center: "9000", recovery: "from us-east-1"}}\n')
    return spec


def main() -> int:
    """The campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--how", choices=("refuse", "black-hole"), default="refuse")
    parser.add_argument("--rounds", type=int, default=1, help="play at least so many (default: 1)")
    parser.add_argument("--at-most", type=int, default=10, help="and no more than so many (default: 10)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--looks", action="store_true", help="time what somebody looks at, and nothing else")
    options = parser.parse_args()
    failed = number = 0
    with tempfile.TemporaryDirectory(prefix="bicoastal-spec-") as folder, Rehearsal(tagged(Path(folder))) as rehearsal:
        print(f"a twin at pace fast is up in {rehearsal.folder}; seed {options.seed}", flush=True)
        if options.looks:
            rehearsal.twin.faults.lose_region(EAST, options.how)
            return 1 if looks(rehearsal) else 0
        executioner = Executioner(rehearsal, random.Random(options.seed))
        sys.setswitchinterval(0.0005)  # the twin is in this process, and some steps are over in 9 ms
        while number < options.rounds or (number < options.at_most and any(map(executioner.unmet, TABLES))):
            number += 1
            print(f"round {number}", flush=True)
            wrong = a_round(rehearsal, options.how, executioner)
            failed += bool(wrong)
            for line in wrong:
                print(f"  WRONG {line}", flush=True)
    print(f"{number - failed} of {number} rounds held")
    for operation in TABLES:
        met, unmet = len(executioner.met[operation]), executioner.unmet(operation)
        print(f"{operation}: {met} steps killed, never: {', '.join(sorted(unmet)) or 'none'}")
    return 1 if failed or any(map(executioner.unmet, TABLES)) else 0


if __name__ == "__main__":
    sys.exit(main())
