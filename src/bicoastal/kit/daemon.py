"""The verb `run`: once a second look at the local database, beat its heart, publish, and fence it if it must be.

Three threads: this one talks to the database and decides; one asks the witness; one serves the gate. None waits for
another, each wait has a deadline, and whatever fails is tried again in the next round. Nothing here decides about
fences (`fence` does) or about traffic (the load balancer does).
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from bicoastal.kit.aws_cli import AwsCli, Credential
from bicoastal.kit.config import Config
from bicoastal.kit.database import DatabaseError, Server, Session
from bicoastal.kit.errors import KitError
from bicoastal.kit.fence import Fence, Lift, Limits, Sight, decide
from bicoastal.kit.gate import Gate
from bicoastal.kit.keeping import Keeper
from bicoastal.kit.metrics import Publisher
from bicoastal.kit.observation import Observation, observe
from bicoastal.kit.witness import WitnessAnswer, ask, resolvers

APPLICATION_NAME = "bicoastal kit"
HEARTBEAT_LOCK = 0x6265617473  # "beats"; who holds it writes the heartbeat
_SECRET_PAUSE_TICKS = 30
_REPEAT_S = 60.0


class Journal:
    """One line for each change of what is wrong, and a reminder every minute: not one a second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[str, tuple[str, float]] = {}

    def event(self, text: str) -> None:
        """Something happened."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def problem(self, about: str, text: str | None) -> None:
        """Something is wrong, or (None) no longer."""
        known = self._last.get(about)
        if text is None:
            if known is not None:
                del self._last[about]
                self.event(f"{about}: well again")
        elif known is None or known[0] != text or self._clock() - known[1] >= _REPEAT_S:
            self._last[about] = (text, self._clock())
            self.event(f"{about}: {text}")


class WitnessWatch:
    """Asks the witness in the background; `latest` is what it said and when, by `clock`."""

    def __init__(self, config: Config, journal: Journal, clock: Callable[[], float]) -> None:
        self._config = config
        self._journal = journal
        self._clock = clock
        self._latest: tuple[WitnessAnswer, float] | None = None
        self._servers = resolvers(config.witness.resolvers)

    def latest(self, within_s: float) -> tuple[WitnessAnswer, float] | None:
        """The last answer and its age in seconds, if it is not older than that."""
        latest = self._latest
        if latest is None or (age := self._clock() - latest[1]) > within_s:
            return None
        return latest[0], age

    def run(self, stop: threading.Event) -> None:
        """Ask until told to stop."""
        interval = self._config.intervals.witness
        while not stop.is_set():
            begun = self._clock()
            try:
                testimony = ask(self._config.witness.name, self._servers, interval)
                self._latest = (testimony, self._clock())
                self._journal.problem("witness", None)
            except KitError as error:
                self._journal.problem("witness", str(error))
            stop.wait(max(0.0, interval - (self._clock() - begun)))


@dataclass
class _Watch:
    """What this instance remembers of the primary that it watches; begun anew with each session."""

    begun: float
    reply: str | None = None
    replied: float | None = None
    """When the replica's confirmation last changed."""
    agreed_since: float | None = None
    shared: float = float("-inf")
    """When this instance last told the others what it sees."""


class Daemon:
    """The round, once a second. `clock` is monotonic seconds."""

    def __init__(
        self,
        config: Config,
        aws: AwsCli,
        instance: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._aws = aws
        self._instance = instance
        self._clock = clock
        self._journal = Journal(clock)
        self._server = Server.local(config)
        self._publisher = Publisher(config.metrics.host, config.metrics.port)
        self._witness = WitnessWatch(config, self._journal, clock)
        self._limits = Limits(config.intervals.isolation, config.intervals.lift)
        self._keeper = Keeper(config.state)
        self._credential = self._keeper.read()
        self._credential_read = float("-inf")
        self._session: Session | None = None
        self._beating = False
        self._watch: _Watch | None = None
        self._role = ""

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop. Raises UnavailableError if the gate's port is taken."""
        gate = Gate(self._config.gate.port, self._config.listen)
        gate.start()
        witness = threading.Thread(target=self._witness.run, args=(stop,), name="witness", daemon=True)
        witness.start()
        notify("READY=1")
        tick = self._config.intervals.tick
        due = self._clock()
        while not stop.is_set():
            self.round()
            notify("WATCHDOG=1")
            due = max(due + tick, self._clock())
            stop.wait(due - self._clock())
        notify("STOPPING=1")
        self._close()
        gate.stop()
        witness.join(self._config.intervals.witness + 1)
        self._publisher.close()

    def round(self) -> None:
        """Look, act, publish. Whatever goes wrong ends with this round."""
        try:
            session = self._session or self._open()
            seen = observe(session, self._config.replica_slot_prefix)
            self._note_role(seen)
            if seen.replica:
                self._watch, self._beating = None, False
            else:
                self._tend(session, seen)
            self._publish(seen)
            self._journal.problem("database", None)
        except KitError as error:
            self._journal.problem("database", str(error))
            self._publisher.count("KitErrors")
            if isinstance(error, DatabaseError) and error.wrong_password:
                self._credential = None
            self._close()

    # The round of a primary.

    def _tend(self, session: Session, seen: Observation) -> None:
        watch = self._watch = self._watch or _Watch(self._clock())
        sight = self._look_around(watch, seen)
        self._share(session, watch, sight)
        match decide(sight, self._limits):
            case Fence() as fence:
                said = session.one(
                    "SELECT bicoastal.fence(:epoch, :reason) AS said", epoch=fence.epoch, reason=fence.reason
                )
                self._journal.event(
                    f"fence for {fence.reason}, epoch {sight.epoch} against {fence.epoch}: {said['said']}"
                )
                if said["said"] != "stale":
                    self._expel(session)
            case Lift() as lift:
                said = session.one("SELECT bicoastal.lift(:epoch) AS said", epoch=lift.epoch)
                self._journal.event(f"witness and replica agree on epoch {lift.epoch}: fence {said['said']}")
            case None if seen.fence is not None and not seen.expelled:
                self._expel(session)
            case None if seen.fence is None:
                self._beat(session)

    def _look_around(self, watch: _Watch, seen: Observation) -> Sight:
        now = self._clock()
        if seen.replica_reply is not None and seen.replica_reply != watch.reply:
            # The first one may be old: only a change proves that somebody is there.
            watch.replied = now if watch.reply is not None else None
        watch.reply = seen.replica_reply
        latest = self._witness.latest(self._limits.isolation)
        testimony, witness_age = latest if latest else (None, None)
        replica_age = None if watch.replied is None else now - watch.replied
        agreed = (
            testimony is not None
            and testimony.epoch == seen.epoch
            and replica_age is not None
            and replica_age < self._limits.isolation
        )
        if not agreed:
            watch.agreed_since = None
        elif watch.agreed_since is None:
            watch.agreed_since = now
        own = witness_age if testimony is not None and testimony.epoch <= seen.epoch else None
        return Sight(
            epoch=seen.epoch,
            fence=seen.fence,
            replica_expected=seen.replica_expected,
            testimony=testimony,
            witness_age=_younger(own, seen.witness_age),
            replica_age=_younger(replica_age, seen.replica_age),
            watching=now - watch.begun,
            agreed=0.0 if watch.agreed_since is None else now - watch.agreed_since,
        )

    def _share(self, session: Session, watch: _Watch, sight: Sight) -> None:
        """Tell the other instances, as often as the witness is asked, what this one has seen since the last time."""
        now = self._clock()
        if now - watch.shared < self._config.intervals.witness:
            return
        since = min(now - watch.shared, self._limits.isolation)
        latest = self._witness.latest(since)
        witness = latest is not None and latest[0].epoch <= sight.epoch
        replica = watch.replied is not None and now - watch.replied <= since
        if witness or replica:
            session.query("SELECT bicoastal.saw(:witness, :replica)", witness=witness, replica=replica)
        watch.shared = now

    def _beat(self, session: Session) -> None:
        """Write the heartbeat if no other instance does. A session that ends, however it ends, gives the lock back."""
        if not self._beating:
            self._beating = bool(session.one("SELECT pg_try_advisory_lock(:key) AS held", key=HEARTBEAT_LOCK)["held"])
            if self._beating:
                self._journal.event("this instance writes the heartbeat")
        if self._beating:
            session.query(
                "SELECT bicoastal.beat(:region, :instance)", region=self._config.region, instance=self._instance
            )

    def _expel(self, session: Session) -> None:
        wait_ms = int(self._config.intervals.database_timeout * 500)
        remaining = session.one("SELECT bicoastal.expel(:wait) AS remaining", wait=wait_ms)["remaining"]
        self._journal.event(f"fenced: sessions from before the fence that are still there: {remaining}")

    # The session.

    def _open(self) -> Session:
        session = self._server.connect(self._known_credential(), APPLICATION_NAME)
        try:
            # A kit that hangs or a machine that is gone must not keep the heartbeat's lock.
            settings = {
                "statement_timeout": self._config.intervals.database_timeout,
                "lock_timeout": self._config.intervals.database_timeout,
                "idle_session_timeout": max(5 * self._config.intervals.tick, 2.0),
            }
            for name, seconds in settings.items():
                session.query(f"SET {name} = {int(seconds * 1000)}")
            session.query("SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 2")
            session.query("SET tcp_user_timeout = 5000")
        except KitError:
            session.close()
            raise
        self._session = session
        return session

    def _known_credential(self) -> Credential:
        """The kit's own password as it was kept; asked for where there is none, or it was refused, not every second."""
        if self._credential is None:
            now = self._clock()
            if now - self._credential_read < _SECRET_PAUSE_TICKS * self._config.intervals.tick:
                raise DatabaseError("no password that is accepted; the secret is read again in a while")
            self._credential_read = now
            self._credential = self._aws.credential(self._config.database.secrets.kit, name="kit")
            self._keeper.write(self._credential)
        return self._credential

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session, self._watch, self._beating = None, None, False

    # What is told.

    def _note_role(self, seen: Observation) -> None:
        role = "replica" if seen.replica else f"primary, epoch {seen.epoch}"
        role += f", fenced ({seen.fence.reason})" if seen.fence and not seen.replica else ""
        if role != self._role:
            self._journal.event(f"local database: {role}")
            self._role = role

    def _publish(self, seen: Observation) -> None:
        self._publisher.gauges(
            {
                "HeartbeatAge": seen.heartbeat_age,
                "ReadingSessions": seen.reading_sessions,
                "Primary": 0 if seen.replica else 1,
                "Fenced": 0 if seen.fence is None else 1,
                "SlotRetainedBytes": seen.slot_retained_bytes,
            }
        )


def notify(state: str) -> None:
    """Tell systemd, if it started us (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        try:
            door.connect("\0" + address[1:] if address.startswith("@") else address)
            door.send(state.encode("ascii"))
        except OSError:
            return


def _younger(one: float | None, other: float | None) -> float | None:
    known = [age for age in (one, other) if age is not None]
    return min(known) if known else None
