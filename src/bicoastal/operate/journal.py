"""What operations did, by whom and why: JSON lines in the bucket of the region that acts, and a copy here.

It is written and never read to decide anything: an operation goes on from what it observes.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session

PREFIX = "operations/"


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
