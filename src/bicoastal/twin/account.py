"""The operating system's account that servers run as: ours, or an unprivileged one when we are root.

PostgreSQL refuses to run as root, and nothing of the twin needs it. What a server reads or writes must then belong to
that account or be open to it: `own` and `can_reach` are how the rest of the twin sees to it.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from bicoastal.core.errors import SystemFault

UNPRIVILEGED = "nobody"


@dataclass(frozen=True)
class Account:
    """A user and group of the operating system."""

    name: str
    user_id: int
    group_id: int
    dropped: bool
    """Whether it is another than ours: what we make for it must be given to it."""

    @classmethod
    def for_servers(cls) -> Account:
        """Ours, or `nobody` as root. Raises SystemFault where there is no such user."""
        if os.geteuid() != 0:
            return cls(str(os.geteuid()), os.geteuid(), os.getegid(), dropped=False)
        try:
            found = pwd.getpwnam(UNPRIVILEGED)
        except KeyError:
            raise SystemFault(
                f"there is no user {UNPRIVILEGED!r}, and PostgreSQL does not run as root.\n"
                "    -> Run as an ordinary user."
            ) from None
        return cls(found.pw_name, found.pw_uid, found.pw_gid, dropped=True)

    def own(self, path: Path) -> None:
        """Give a file, or a folder and all in it, to this account."""
        if not self.dropped:
            return
        for item in (path, *path.rglob("*")):
            os.chown(item, self.user_id, self.group_id, follow_symlinks=False)

    def can_reach(self, path: Path) -> bool:
        """Whether it may enter every folder above `path`, and read `path` (a folder: enter and list it)."""
        path = path.resolve()
        if not self.dropped:
            return os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0))
        wanted = (stat.S_IROTH | stat.S_IXOTH) if path.is_dir() else stat.S_IROTH
        return self._may(path, wanted) and all(self._may(folder, stat.S_IXOTH) for folder in path.parents)

    def _may(self, path: Path, wanted: int) -> bool:
        """`wanted` is given in the bits for others."""
        found = path.stat()
        if found.st_uid == self.user_id:
            return found.st_mode & (wanted << 6) == wanted << 6
        if found.st_gid == self.group_id:
            return found.st_mode & (wanted << 3) == wanted << 3
        return found.st_mode & wanted == wanted
