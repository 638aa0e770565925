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
        self.lines.append(json.dumps(line))
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as stream:
            stream.write(self.lines[-1] + "\n")
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
def held(session: Session, region: str, bucket: str, operation: str) -> Iterator[None]:
    """Hold the lock. Raises Refused, naming the holder, where somebody else does."""
    token = uuid.uuid4().hex
    _take(session, region, bucket, operation, token)
    stop = threading.Event()
    renewing = threading.Thread(target=_renew, args=(session, region, bucket, operation, token, stop), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        stop.set()
        _release(session, region, bucket, token)


def _take(session: Session, region: str, bucket: str, operation: str, token: str) -> None:
    client = session.client("s3", region)
    for _ in range(3):
        try:
            with aws_faults(f"taking the lock in {bucket}"):
                client.put_object(Bucket=bucket, Key=LOCK, Body=_content(operation, token), IfNoneMatch="*")
        except ApiFault as fault:
            if fault.code not in ("PreconditionFailed", "ConditionalRequestConflict", "412"):
                raise
        else:
            return
        holder = _holder(session, region, bucket)
        if holder is None:
            continue
        age = time.time() - float(holder["renewed"])
        if age <= LEASE_S and not _dead(holder):
            raise Refused(
                f"{holder['who']} holds the lock: {holder['operation']}, since {holder['since']}, renewed {age:.0f} s "
                f"ago.\n    -> Wait for its end. If it was killed, the lock is broken {LEASE_S:.0f} s after its last "
                "renewal: run the same command again then."
            )
        with aws_faults(f"breaking the lock in {bucket}"):
            client.delete_object(Bucket=bucket, Key=LOCK)
    raise Refused(f"the lock in {bucket} could not be taken: others take it, too.\n    -> Run the same command again.")


def _renew(  # noqa: PLR0917 - a thread's arguments
    session: Session,
    region: str,
    bucket: str,
    operation: str,
    token: str,
    stop: threading.Event,
) -> None:
    while not stop.wait(_RENEW_S):
        try:
            with aws_faults("renewing the lock"):
                session.client("s3", region).put_object(Bucket=bucket, Key=LOCK, Body=_content(operation, token))
        except BicoastalError:
            # What an operation does may be repeated by another one: losing the lock does no harm.
            continue


def _release(session: Session, region: str, bucket: str, token: str) -> None:
    try:
        holder = _holder(session, region, bucket)
        if holder is not None and holder.get("token") == token:
            with aws_faults("releasing the lock"):
                session.client("s3", region).delete_object(Bucket=bucket, Key=LOCK)
    except BicoastalError:
        return


def _holder(session: Session, region: str, bucket: str) -> dict[str, Any] | None:
    try:
        with aws_faults(f"reading the lock in {bucket}"):
            body = session.client("s3", region).get_object(Bucket=bucket, Key=LOCK)["Body"].read()
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
