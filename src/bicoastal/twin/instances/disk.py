"""An instance's root: a folder, below which everything is that its user data writes.

Nobody needs to be root for it, so nothing can be mounted: what was written for `/opt/bicoastal` runs below the folder
because texts and command lines are changed, where they name a path that is the instance's. What is not (`/bin/sh`,
`/tmp`) is this machine's own.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

ALWAYS = ("/opt/aws", "/var/log", "/etc/systemd/system")
"""Of every instance, whatever its user data writes."""


class Disk:
    """The root, and which paths are moved below it."""

    def __init__(self, root: Path, written: Iterable[str] = ()) -> None:
        """`written` are the paths that user data writes: the first two names of each are the instance's own."""
        self.root = root
        own = {f"/{'/'.join(PurePosixPath(path).parts[1:3])}" for path in written if path.startswith("/")}
        self.moved = tuple(sorted(own | set(ALWAYS), key=len, reverse=True))
        names = "|".join(re.escape(path) for path in self.moved)
        # Not behind a name, a host or another path (`s3://bucket/opt/x`), and whole names only (not `/opt/bicoastal2`).
        self._pattern = re.compile(rf"(?<![\w./}}~-])(?:{names})(?![\w.-]*[\w-])")

    def below(self, path: str | PurePosixPath) -> Path:
        """Where an absolute path of the instance is, moved or not."""
        # Without what would lead out of it.
        return self.root / posixpath.normpath(f"/{path}").lstrip("/")

    def local(self, path: str) -> Path:
        """Where this machine has what the instance calls so."""
        inside = path == str(self.root) or path.startswith(f"{self.root}/")
        if not inside and any(path == moved or path.startswith(f"{moved}/") for moved in self.moved):
            return self.below(path)
        return Path(path)

    def text(self, content: str) -> str:
        """The text with its paths moved. One that is moved already stays."""
        return self._pattern.sub(lambda match: f"{self.root}{match[0]}", content)
