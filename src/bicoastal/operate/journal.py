"""What operations did, by whom and why: JSON lines in the bucket of the region that acts, and a copy here.

It is written and never read to decide anything: an operation goes on from what it observes. One object in the same
bucket is the lock: of two operators one wins, and the other is told who holds it.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import BicoastalError, Refused

PREFIX = "operations/"
LOCK = f"{PREFIX}lock.json"
RESTORE_LOCK = f"{PREFIX}restore-lock.json"
"""Of a restore: it takes hours for a large database, and must never hold up a failover."""
LEASE_S = 30.0
"""A lock that its holder has not renewed for so long is broken: he was killed, or lost his network."""
_RENEW_S = 8.0


@dataclass
class Journal:
    """One operation's lines."""

    session: Session
    region: str
    bucket: str
    operation: str
    folder: Path
    """Of the copy here."""
    id: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}")
    lines: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """The copy."""
        return self.folder / f"{self.id}-{self.operation}.jsonl"

    def write(self, what: str, **details: Any) -> None:
        """Add a line. A bucket that cannot be written does not stop an operation: the copy here is enough then."""
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "who": who(), "what": what, **details}
        text = json.dumps(line)
        self.lines.append(text)  # what runs beside the path writes, too: the last one may be another's by now
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def send(self) -> None:
        """Put all of it into the bucket. Raises SystemFault."""
        with aws_faults(f"writing the journal to {self.bucket}"):
            self.session.client("s3", self.region).put_object(
                Bucket=self.bucket,
                Key=f"{PREFIX}journal/{self.file.name}",
                Body=("\n".join(self.lines) + "\n").encode(),
                ContentType="application/jsonl",
            )

    def announce(self, what: str, **details: Any) -> None:
        """Tell the region's event bus, where the team's own rules listen. Raises SystemFault."""
        entry = {
            "Source": "bicoastal",
            "DetailType": what,
            "Detail": json.dumps({"who": who(), "operation": self.operation, "id": self.id, **details}),
        }
        with aws_faults(f"telling the event bus in {self.region}"):
            self.session.client("events", self.region).put_events(Entries=[entry])


def who() -> str:
    """The operator, as this machine knows him."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


@contextmanager
def held(session: Session, region: str, bucket: str, operation: str, key: str = LOCK) -> Iterator[None]:
    """Hold the lock. Raises Refused, naming the holder, where somebody else does."""
    lock = _Lock(session, region, bucket, key)
    token = uuid.uuid4().hex
    _take(lock, operation, token)
    stop = threading.Event()
    renewing = threading.Thread(target=_renew, args=(lock, operation, token, stop), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        stop.set()
        _release(lock, token)


def refuse_beside(session: Session, region: str, bucket: str) -> None:
    """Raise Refused, naming the holder, while an operation holds the lock of a region; takes nothing."""
    holder = _holder(_Lock(session, region, bucket, LOCK))
    if holder is not None and _alive(holder):
        raise _is_held(holder)


@dataclass(frozen=True)
class _Lock:
    session: Session
    region: str
    bucket: str
    key: str

    @property
    def client(self) -> Any:
        return self.session.client("s3", self.region)


def _take(lock: _Lock, operation: str, token: str) -> None:
    for _ in range(3):
        try:
            with aws_faults(f"taking the lock in {lock.bucket}"):
                lock.client.put_object(
                    Bucket=lock.bucket, Key=lock.key, Body=_content(operation, token), IfNoneMatch="*"
                )
        except ApiFault as fault:
            if fault.code not in ("PreconditionFailed", "ConditionalRequestConflict", "412"):
                raise
        else:
            return
        holder = _holder(lock)
        if holder is None:
            continue
        if _alive(holder):
            raise _is_held(holder)
        with aws_faults(f"breaking the lock in {lock.bucket}"):
            lock.client.delete_object(Bucket=lock.bucket, Key=lock.key)
    raise Refused(
        f"the lock in {lock.bucket} could not be taken: others take it, too.\n    -> Run the same command again."
    )


def _alive(holder: dict[str, Any]) -> bool:
    return time.time() - float(holder["renewed"]) <= LEASE_S and not _dead(holder)


def _is_held(holder: dict[str, Any]) -> Refused:
    return Refused(
        f"{holder['who']} holds the lock: {holder['operation']}, since {holder['since']}, renewed "
        f"{time.time() - float(holder['renewed']):.0f} s ago.\n    -> Wait for its end. If it was killed, the lock is "
        f"broken {LEASE_S:.0f} s after its last renewal: run the same command again then."
    )


def _renew(lock: _Lock, operation: str, token: str, stop: threading.Event) -> None:
    while not stop.wait(_RENEW_S):
        try:
            with aws_faults("renewing the lock"):
                lock.client.put_object(Bucket=lock.bucket, Key=lock.key, Body=_content(operation, token))
        except BicoastalError:
            # What an operation does may be repeated by another one: losing the lock does no harm.
            continue


def _release(lock: _Lock, token: str) -> None:
    try:
        holder = _holder(lock)
        if holder is not None and holder.get("token") == token:
            with aws_faults("releasing the lock"):
                lock.client.delete_object(Bucket=lock.bucket, Key=lock.key)
    except BicoastalError:
        return


def _holder(lock: _Lock) -> dict[str, Any] | None:
    try:
        with aws_faults(f"reading the lock in {lock.bucket}"):
            body = lock.client.get_object(Bucket=lock.bucket, Key=lock.key)["Body"].read()
        found: dict[str, Any] = json.loads(body)
    except ApiFault as fault:
        if fault.code in ("NoSuchKey", "404"):
            return None
        raise
    except ValueError:
        return {"who": "somebody", "operation": "an operation", "since": "unknown", "renewed": 0.0}
    return found


def _dead(holder: dict[str, Any]) -> bool:
    """The holder was a process of this machine and user, and is no more: nobody has to wait for his lease."""
    if holder.get("who") != who() or not isinstance(holder.get("process"), int):
        return False
    try:
        os.kill(holder["process"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


_SINCE = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _content(operation: str, token: str) -> bytes:
    return json.dumps(
        {
            "who": who(),
            "process": os.getpid(),
            "operation": operation,
            "since": _SINCE,
            "renewed": time.time(),
            "token": token,
        }
    ).encode()
