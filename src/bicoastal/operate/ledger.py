"""Small documents in the surviving region's bucket that one operation leaves for the next: what must be put back.

Unlike the journal they are read again, so each is written before what it speaks of is done.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session

FENCED = "operations/fenced.json"
"""Rules and fleet of the lost side as they were, and what stands there instead."""
KEPT_OFF = "operations/kept-off.json"
"""Rules of this side that let its servers to the other side's database, as they were."""
PROMOTED = "operations/promoted.json"
"""What the replica had when it was promoted."""


@dataclass(frozen=True)
class Ledger:
    """One bucket's documents."""

    session: Session
    region: str
    bucket: str

    def read(self, key: str) -> Any:
        """A document; None where there is none. Raises SystemFault."""
        try:
            with aws_faults(f"reading {key} in {self.bucket}"):
                body = self.session.client("s3", self.region).get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ApiFault as fault:
            if fault.code in ("NoSuchKey", "404"):
                return None
            raise
        return json.loads(body)

    def write(self, key: str, document: Any) -> None:
        """Keep a document. Raises SystemFault."""
        with aws_faults(f"writing {key} to {self.bucket}"):
            self.session.client("s3", self.region).put_object(
                Bucket=self.bucket,
                Key=key,
                Body=json.dumps(document, indent=2).encode(),
                ContentType="application/json",
            )

    def forget(self, key: str) -> None:
        """What it spoke of is as it was. Raises SystemFault."""
        with aws_faults(f"removing {key} from {self.bucket}"):
            self.session.client("s3", self.region).delete_object(Bucket=self.bucket, Key=key)
