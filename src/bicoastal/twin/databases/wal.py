"""What a server that was killed has written last, given to the standby that takes over.

RDS's standby is a mirror of the volume: it has all that was written, acknowledged or not. A standby that streams may
lack what was written a millisecond ago, and a read replica may have just that: it would be ahead of its new source,
and could never follow it.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

from bicoastal.twin.home import Home

SEGMENT_BYTES = 1 << 20
"""Of every cluster here (`Server.initialize`)."""
_NAME = re.compile(r"[0-9A-F]{24}")
_HEADER = struct.Struct("=HHIQ")
"""Of a page: magic, flags, timeline, and its address in the WAL."""
_PER_LOG = 0x100000000 // SEGMENT_BYTES


def hand_over(home: Home, source: Path, target: Path) -> list[str]:
    """Bring the newest WAL of a data folder whose server has ended into that of its standby, which may run.

    The standby's segments are the beginnings of the same ones, and are overwritten with themselves and what follows:
    it reads on there, and before it is promoted to the end. Returns the names of the segments.
    """
    ours, theirs = _segments(source), _segments(target)
    if not ours or not theirs:
        return []
    timeline = max(ours)[:8]
    # The last segment that both have, and all after it.
    common = [name for name in theirs if name in ours and name[:8] == timeline]
    if not common:
        return []
    handed = sorted(name for name in ours if name >= max(common) and name[:8] == timeline)
    for name in handed:
        path = target / "pg_wal" / name
        new = not path.exists()
        with path.open("wb" if new else "r+b") as file:
            file.write((source / "pg_wal" / name).read_bytes())
        if new:
            path.chmod(0o600)
            home.account.own(path)
    return handed


def _segments(data: Path) -> set[str]:
    """Those that were written: a recycled one bears a name that is still to come, and holds what was long ago."""
    return {path.name for path in (data / "pg_wal").iterdir() if _NAME.fullmatch(path.name) and _written(path)}


def _written(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return False
    number = int(path.name[8:16], 16) * _PER_LOG + int(path.name[16:], 16)
    return bool(_HEADER.unpack(header)[3] == number * SEGMENT_BYTES)
