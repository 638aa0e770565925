"""Restore: a recovery point becomes a database of its own beside the live one, is read, and is kept or deleted.

The live database is never touched, and no failover waits for this. The instance's name follows from the recovery
point: a restore that was killed is found by it, and goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.core.errors import Refused, SystemFault
from bicoastal.operate import census, restoring
from bicoastal.operate.backups import Point
from bicoastal.operate.census import Census
from bicoastal.operate.journal import Journal
from bicoastal.operate.restoring import LIVE, Job, Restored
from bicoastal.operate.subject import Subject
from bicoastal.operate.transitions import Operation, State, Step, Transition
from bicoastal.operate.walk import Report, Tell, Walk

RESTORE_S = 6 * 3600.0
"""RDS's own time for a large database; an interrupted wait is taken up again by the same command."""
DELETE_S = 3600.0
AVAILABLE, DELETING = "available", "deleting"
_FAILED = frozenset(
    {"failed", "incompatible-restore", "incompatible-parameters", "incompatible-network", "storage-full"}
)


@dataclass(frozen=True)
class Sought:
    """What a restore has seen."""

    made: Restored | None
    job: Job | None


def restore_state(seen: Sought, *, verified: bool, handed: bool, keep: bool) -> State:
    """Where a restore stands. One that is being deleted was read before, by whoever deletes it."""
    if handed:
        return State.HANDED_OVER
    if seen.made is None:
        return State.RESTORING if seen.job is not None and seen.job.state in LIVE else State.CHOSEN
    if seen.made.status == DELETING:
        return State.CHOSEN if keep else State.VERIFIED
    if seen.made.status != AVAILABLE:
        return State.RESTORING
    return State.VERIFIED if verified else State.RESTORED


class Restore(Walk):
    """One restore of one recovery point, in the region where it lies."""

    operation = Operation.RESTORE

    def __init__(
        self, session: Session, subject: Subject, point: Point, *, keep: bool, journal: Journal, tell: Tell
    ) -> None:
        """`keep`: the database stays; else it is deleted once it was read."""
        super().__init__(session, subject, region=point.region, journal=journal, tell=tell)
        self._point = point
        self._keep = keep
        self.name = restoring.identifier(subject, point)
        self.census: Census | None = None
        self.made: Restored | None = None

    def run(self) -> Report:
        """Walk the table to its end. Raises SystemFault where AWS Backup or RDS could not make the database."""
        state = self.state()
        self._journal.write(
            "assessed", region=self._region, state=state, point=self._point.arn, instance=self.name, keep=self._keep
        )
        if state is not State.CHOSEN:
            self._tell(f"{self.name} is {state}: an earlier restore is carried on")
        return self._walk(state)

    def state(self) -> State:
        """Where it stands now. Raises Refused while a database that should be kept is being deleted."""
        seen = self._look()
        if seen.made is not None and seen.made.status == DELETING and self._keep:
            raise Refused(f"{self.name} is being deleted.\n    -> Run the same command again when it is gone.")
        return restore_state(seen, verified=self.census is not None, handed=False, keep=self._keep)

    def _look(self) -> Sought:
        self.made = restoring.instance(self._session, self.name, self._region)
        job = None if self.made is not None else restoring.job(self._session, self._point, self.name)
        return Sought(self.made, job)

    def _do(self, transition: Transition) -> None:
        match transition.step:
            case Step.RESTORE:
                self._begin()
            case Step.AWAIT_RESTORE:
                self._await()
            case Step.VERIFY:
                self._verify()
            case Step.HAND_OVER:
                self._hand_over()
            case _:
                raise AssertionError(f"{transition.step} is no step of a restore")

    def _begin(self) -> None:
        where = restoring.place(self._session, self._subject, self._region)
        id_ = restoring.begin(self._session, self._point, self.name, where)
        self._journal.write("started", job=id_, instance=self.name, subnets=where.subnets, group=where.group)
        self._tell(f"{self._point.id} becomes {self.name} in {self._region} (restore job {id_})")

    def _await(self) -> None:
        told = ""
        for waited in Waiter(RESTORE_S, f"waiting for {self.name} in {self._region} to be available"):
            seen = self._look()
            made, job = seen.made, seen.job
            status = made.status if made is not None else f"not there yet, its job is {job.state if job else 'unknown'}"
            if status != told:
                self._tell(f"{self.name} is {status} ({waited:.0f} s)")
                told = status
            if made is not None and made.status == AVAILABLE:
                break
            self._refuse_failed(made, job)

    def _refuse_failed(self, made: Restored | None, job: Job | None) -> None:
        if made is not None and made.status in _FAILED:
            raise SystemFault(
                f"{self.name} in {self._region} is {made.status}.\n    -> Look at its events "
                f"(`aws rds describe-events --source-type db-instance --source-identifier {self.name}`), delete it, "
                "and run the same command again."
            )
        if made is None and (job is None or job.state not in LIVE):
            said = job.why or job.state if job is not None else "AWS Backup knows of no job"
            raise SystemFault(
                f"{self._point.id} in {self._region} was not restored: {said}\n"
                "    -> When that is resolved, run the same command again: it begins anew."
            )

    def _tags(self) -> dict[str, str]:
        where = restoring.place(self._session, self._subject, self._region)
        return {**where.tags, "data-class": "customer", "restored-from": self._point.id}

    def _verify(self) -> None:
        made = self._made()
        # Here and not when it came: whoever saw it come may have been killed before he had tagged it.
        restoring.tag(self._session, made, self._region, self._tags())
        if not made.encrypted or (made.key and f":{self._region}:" not in made.key):
            self._note(f"{self.name} is not encrypted by a key of {self._region}: {made.key or 'no key'}")
        self.census = census.take(self._session, self._subject, self._region, made.host, self._tell)
        seen = self.census
        self._journal.write(
            "read",
            sound=seen.sound,
            unknown=seen.unknown,
            rows={table.name: table.rows for table in seen.tables},
            checksums={table.name: table.checksum for table in seen.read},
            live_rows={table.name: table.live_rows for table in seen.tables},
            data_end=seen.beat,
        )

    def _made(self) -> Restored:
        if self.made is None:
            raise AssertionError("it was seen available")
        return self.made

    def _hand_over(self) -> None:
        if self._keep:
            return
        # Under a job that is not over the instance's end would be its failure, and ring the alarm.
        for _ in Waiter(DELETE_S, f"waiting for AWS Backup to end its job of {self.name} in {self._region}"):
            job = restoring.job(self._session, self._point, self.name)
            if job is None or job.state not in LIVE:
                break
        restoring.delete(self._session, self.name, self._region)
        for waited in Waiter(DELETE_S, f"waiting for {self.name} in {self._region} to be gone"):
            if restoring.instance(self._session, self.name, self._region) is None:
                self._tell(f"{self.name} is gone ({waited:.0f} s)")
                return


def age(point: Point, now: datetime | None = None) -> str:
    """How old what it holds is: `3 h`, `12 d`."""
    seconds = ((now or datetime.now(UTC)) - point.taken).total_seconds()
    for unit, length in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
