"""Of two operators one wins: an object in the artifact bucket of each region that an operation must have for itself.

S3 decides, by conditional writes: the lock is whose object was the first, or who replaced the very one that he had
read. How old it is, S3's clock says, for operators' clocks differ. Whoever slept while somebody else took the lock
learns it before his next step.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import BicoastalError, Refused
from bicoastal.operate.journal import PREFIX, who

LOCK = f"{PREFIX}lock.json"
RESTORE_LOCK = f"{PREFIX}restore-lock.json"
"""Of a restore: it takes hours for a large database, and must never hold up a failover."""
LEASE_S = 30.0
"""A lock that its holder has not renewed for so long is broken: he was killed, or lost his network."""
RENEW_S = 8.0
_TRIES = 3
_TURN_S = 5.0
"""That a renewal which is under way is waited for by who asks whether the lock is lost."""
_END_S = 2.0
"""The same by who gives it back."""
_MET = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey", "404")
"""S3's answers when the object is not, or no longer, the one that was meant."""


@dataclass(frozen=True)
class Place:
    """A region's artifact bucket, and as whom it is asked."""

    session: Session
    region: str
    bucket: str


class Holds(Protocol):
    """What may be lost to somebody else."""

    def still(self) -> None:
        """Raise Refused where it is."""


class Held:
    """What an operation holds, of one region or of both."""

    def __init__(self, locks: Sequence[Holds]) -> None:
        self._locks = locks

    def still(self) -> None:
        """Raise Refused where somebody else has taken it meanwhile: this process slept for longer than its lease."""
        for lock in self._locks:
            lock.still()


@contextmanager
def held(place: Place, operation: str, key: str = LOCK) -> Iterator[Held]:
    """Hold the lock of a region. Raises Refused, naming the holder, where somebody else does, or SystemFault.

    Whoever wants those of two regions takes them in the order that everybody takes: then one of two gets both.
    """
    lock = _Lock(place, key, operation)
    lock.take()
    stop = threading.Event()
    renewing = threading.Thread(target=_renew, args=(lock, stop), daemon=True)
    renewing.start()
    try:
        yield Held([lock])
    finally:
        stop.set()
        renewing.join(_END_S)  # what it has under way would outdate what is released
        lock.release()


def refuse_beside(place: Place) -> None:
    """Raise Refused, naming the holder, while an operation holds the lock of a region; takes nothing."""
    holder = _read(place, LOCK)
    if holder is not None and holder.alive:
        raise holder.refusal()


@dataclass(frozen=True)
class _Holder:
    """Whose object there is."""

    etag: str
    age_s: float
    """Since it was renewed, by S3's clock."""
    said: dict[str, Any]

    @property
    def token(self) -> str:
        return str(self.said.get("token", ""))

    @property
    def alive(self) -> bool:
        """Nobody has to wait for the lease of a process of this machine and user that is no more."""
        process = self.said.get("process")
        if self.said.get("who") == who() and isinstance(process, int):
            try:
                os.kill(process, 0)
            except ProcessLookupError:
                return False
            except OSError:
                pass
        return self.age_s <= LEASE_S

    @property
    def name(self) -> str:
        return str(self.said.get("who") or "somebody")

    @property
    def what(self) -> str:
        return f"{self.said.get('operation') or 'an operation'}, since {self.said.get('since') or 'an unknown time'}"

    def refusal(self) -> Refused:
        return Refused(
            f"{self.name} holds the lock: {self.what}, renewed {self.age_s:.0f} s ago.\n"
            "    -> Wait for its end. If it was killed, the lock is "
            f"broken {LEASE_S:.0f} s after its last renewal: run the same command again then."
        )


class _Lock:
    """One object, and this process's hold of it. Renewed by a thread, looked at by the operation's."""

    def __init__(self, place: Place, key: str, operation: str) -> None:
        self._place = place
        self._key = key
        self._operation = operation
        self._token = uuid.uuid4().hex
        self._turn = threading.Lock()
        self._etag = ""
        self._since = datetime.now(UTC)
        self._awake = time.time()
        self._lost = ""
        """To whom, once it is."""

    def take(self) -> None:
        """Raises Refused, SystemFault."""
        condition = {"IfNoneMatch": "*"}
        for _ in range(_TRIES):
            if self._put(condition):
                return
            holder = _read(self._place, self._key)
            if holder is None:
                condition = {"IfNoneMatch": "*"}
                continue
            if holder.token == self._token:  # it was taken, and the answer was lost
                self._etag = holder.etag
                return
            if holder.alive:
                raise holder.refusal()
            condition = {"IfMatch": holder.etag}
        raise Refused(
            f"the lock in {self._place.bucket} could not be taken: others take it, too.\n"
            "    -> Run the same command again."
        )

    def renew(self) -> None:
        """Nothing where S3 does not answer: what is given to nobody else is still held."""
        if not self._turn.acquire(timeout=_TURN_S):
            return
        try:
            self._renew()
        except BicoastalError:
            return
        finally:
            self._awake = time.time()
            self._turn.release()

    def _renew(self) -> None:
        if self._lost or self._put({"IfMatch": self._etag}):
            return
        holder = _read(self._place, self._key)
        if holder is not None and holder.token == self._token:
            self._etag = holder.etag  # an earlier renewal came through, and its answer did not
        elif holder is None:
            self._lost = "somebody who has given it back"
        else:
            self._lost = f"{holder.name} ({holder.what})"

    def still(self) -> None:
        """Raises Refused."""
        if time.time() - self._awake > LEASE_S:  # no renewal was tried: this process, or its machine, was stopped
            self.renew()
        if self._lost:
            raise Refused(
                f"the lock in {self._place.region} was not renewed for {LEASE_S:.0f} s and more, and was taken by "
                f"{self._lost}.\n"
                "    -> Look at `bicoastal status`; where something is left to do, run the same command again."
            )

    def release(self) -> None:
        """Unless it is somebody else's by now; a region that does not answer breaks it by itself."""
        if self._lost:
            return
        try:
            with aws_faults(f"releasing the lock in {self._place.bucket}"):
                self._client.delete_object(Bucket=self._place.bucket, Key=self._key, IfMatch=self._etag)
        except BicoastalError:
            return

    @property
    def _client(self) -> Any:
        return self._place.session.client("s3", self._place.region)

    def _put(self, condition: dict[str, str]) -> bool:
        """Whether the object is this process's now."""
        try:
            with aws_faults(f"taking the lock in {self._place.bucket}"):
                self._etag = self._client.put_object(
                    Bucket=self._place.bucket, Key=self._key, Body=self._content(), **condition
                )["ETag"]
        except ApiFault as fault:
            if fault.code not in _MET:
                raise
            return False
        return True

    def _content(self) -> bytes:
        return json.dumps(
            {
                "who": who(),
                "process": os.getpid(),
                "operation": self._operation,
                "since": f"{self._since:%Y-%m-%dT%H:%M:%SZ}",
                "renewed": datetime.now(UTC).isoformat(),
                "token": self._token,
            }
        ).encode()


def _read(place: Place, key: str) -> _Holder | None:
    """Whose it is; None where it is nobody's. Raises SystemFault."""
    try:
        with aws_faults(f"reading the lock in {place.bucket}"):
            found = place.session.client("s3", place.region).get_object(Bucket=place.bucket, Key=key)
            body = found["Body"].read()
    except ApiFault as fault:
        if fault.code in ("NoSuchKey", "404"):
            return None
        raise
    try:
        said = json.loads(body)
    except ValueError:
        said = {}
    told = found["ResponseMetadata"]["HTTPHeaders"].get("date")
    now = parsedate_to_datetime(told) if told else datetime.now(UTC)
    return _Holder(found["ETag"], (now - found["LastModified"]).total_seconds(), said if isinstance(said, dict) else {})


def _renew(lock: _Lock, stop: threading.Event) -> None:
    while not stop.wait(RENEW_S):
        lock.renew()
