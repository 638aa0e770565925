"""What the former primary acknowledged and the survivor never got: rows, in a file, for people to decide about.

The survivor noted what it had before it was promoted; the former primary's kit tells which rows of its tables come from
transactions that are not among those (kit, `diverged`, which says what cannot be found so).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.operate.act import Acts
from bicoastal.operate.journal import Journal
from bicoastal.operate.ledger import PROMOTED, Ledger

PREFIX = "operations/diverged/"
_PAGE_S = 120.0


@dataclass(frozen=True)
class Divergence:
    """What was found."""

    rows: int | None
    """None: it cannot be told."""
    why: str = ""
    """Why not."""
    file: Path | None = None
    unreadable: tuple[str, ...] = ()
    """Tables that were not looked at."""


def find(acts: Acts, journal: Journal, region: str, epoch: int) -> Divergence:
    """Ask the former primary in `region`, superseded by `epoch`. Raises SystemFault where its kit does not answer."""
    noted = Ledger(acts.session, acts.region, journal.bucket).read(PROMOTED)
    if noted is None or noted.get("epoch") != epoch:
        return Divergence(None, f"nobody noted what the replica had when it was promoted to epoch {epoch}")
    if noted.get("lossless"):
        return Divergence(0)
    if not noted.get("snapshot"):
        return Divergence(None, "no kit could say what the replica had when it was promoted")
    rows, unreadable = [], set()
    for page in _pages(acts, region, noted["snapshot"]):
        rows += page["rows"]
        unreadable |= set(page["unreadable"])
    file = _write(journal, region, rows) if rows else None
    return Divergence(len(rows), file=file, unreadable=tuple(sorted(unreadable)))


def _pages(acts: Acts, region: str, snapshot: str) -> Iterator[Any]:
    after = 0
    while True:
        page = acts.insist(
            region,
            f"listing what {region} alone has",
            "diverged",
            {"Snapshot": snapshot, "After": str(after)},
            within_s=_PAGE_S,
        )
        yield page
        if not page["more"]:
            return
        after = int(page["next"])


def _write(journal: Journal, region: str, rows: list[Any]) -> Path:
    """Here and in the survivor's bucket: JSON lines, a row each."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    file = journal.folder / f"{journal.id}-{region}-diverged.jsonl"
    journal.folder.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    with aws_faults(f"writing the list to {journal.bucket}"):
        journal.session.client("s3", journal.region).put_object(
            Bucket=journal.bucket, Key=f"{PREFIX}{file.name}", Body=text.encode(), ContentType="application/jsonl"
        )
    return file
