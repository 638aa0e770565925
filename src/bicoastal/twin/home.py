"""The folder of one twin: where everything that it runs, writes and remembers is, and who owns it now.

    cloud/          the control plane's state          databases/REGION/INSTANCE/   clusters
    instances/      servers' roots                     certificates/                the authority, and what it issued
    programs/       copies that servers can read       logs/                        one file for each process
    processes/      the register of what runs          lock                         held by the owner while it lives

Two twins side by side have different folders. Nothing outside the folder is written.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

from bicoastal.core.errors import SystemFault
from bicoastal.twin.account import Account

_LOCK = "lock"
MIB = 2**20
NEEDS, NEEDS_AGAIN = 400 * MIB, 100 * MIB
"""Free bytes: two regions of the sample take 290 MiB once they serve (measured), and grow by their WAL and backups."""
_REMEDY = "Choose a folder with --home that every user may enter, such as one under /var/lib or /tmp."


def default_folder() -> Path:
    """The user's state folder; root's own home is closed to the account that runs servers, so it has another."""
    if os.geteuid() == 0:
        return Path("/var/lib/bicoastal/twin")
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state") / "bicoastal" / "twin"


@dataclass
class Home:
    """A twin's folder; as a context manager it holds the lock."""

    root: Path
    account: Account = field(default_factory=Account.for_servers)
    _lock: IO[str] | None = None

    @property
    def cloud(self) -> Path:
        """State of the control plane: it is ours, servers have no business there."""
        return self._ours("cloud")

    @property
    def processes(self) -> Path:
        """The register."""
        return self._ours("processes")

    @property
    def certificates(self) -> Path:
        """The authority, and what it issued."""
        return self._ours("certificates", 0o755)

    def log(self, *name: str) -> Path:
        """The log of a process; `logs` finds it by these names."""
        path = self.root.joinpath("logs", *name)
        folder = self._ours(str(path.parent.relative_to(self.root)), 0o755)
        return folder / f"{path.name}.log"

    def databases(self, *name: str) -> Path:
        """A folder of the account that runs servers, not made yet: PostgreSQL's programs make theirs."""
        return self._servers("databases", *name)

    def instances(self, *name: str) -> Path:
        """The root of an instance."""
        return self._servers("instances", *name)

    def program(self, tree: Path) -> Path:
        """A tree of programs where servers can read it: itself, or a copy in this folder, made once.

        The name of a copy holds that of the tree and when it was installed: another version is another copy.
        """
        if all(self.account.can_reach(path) for path in (tree, tree / "bin") if path.exists()):
            return tree
        folder = self._ours("programs", 0o755)
        copy = folder / f"{tree.name}-{tree.stat().st_mtime_ns:x}"
        if not copy.exists():
            partial = folder / f"{copy.name}.{os.getpid()}.part"
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(tree, partial, symlinks=True)
            partial.chmod(0o755)
            partial.rename(copy)
        return copy

    def owner(self) -> int | None:
        """The process that holds the lock; None when nobody does. Looking takes nothing away."""
        try:
            with (self.root / _LOCK).open() as file:
                return _holder(file)
        except FileNotFoundError:
            return None

    def acquire(self) -> None:
        """Take the lock. Raises SystemFault when another process holds it, or the folder cannot be used."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o755)
            file = (self.root / _LOCK).open("a")
        except OSError as error:
            raise SystemFault(
                f"{self.root}: the twin's folder cannot be used: {error.strerror}.\n    -> {_REMEDY}"
            ) from (error)
        if not _taken(file):
            holder = _holder(file) or "another process"
            file.close()
            raise SystemFault(
                f"{self.root}: a twin already runs here, as process {holder}.\n"
                "    -> `bicoastal down` ends it; --home starts another one beside it."
            ) from None
        if not self.account.can_reach(self.root):
            file.close()
            raise SystemFault(
                f"{self.root}: the user {self.account.name!r}, who runs servers, cannot enter.\n    -> {_REMEDY}"
            )
        free, needed = shutil.disk_usage(self.root).free, NEEDS_AGAIN if self._begun() else NEEDS
        if free < needed:
            file.close()
            raise SystemFault(
                f"{self.root}: {free // MIB} MiB are free on its disk, and a twin needs {needed // MIB}.\n"
                "    -> Make room, or choose another folder with --home."
            )
        self._lock = file

    def _begun(self) -> bool:
        return (self.root / "databases").exists()

    def release(self) -> None:
        """Let the lock go; the kernel does so for a process that was killed."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Home:
        """Take the lock."""
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let it go."""
        self.release()

    def _ours(self, name: str, mode: int = 0o700) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
        return folder

    def _servers(self, *name: str) -> Path:
        """The folder above the last name exists and belongs to the account."""
        path = self.root.joinpath(*name)
        for folder in reversed([parent for parent in path.parents if parent.is_relative_to(self.root)][:-1]):
            if not folder.exists():
                folder.mkdir(mode=0o755, exist_ok=True)
                self.account.own(folder)
        return path


# The lock is of an open file description, as long as its holder's process id: who holds it is told in the same moment
# as that it is held. A file beside it would for a moment tell of a holder that was killed.
_FLOCK = struct.Struct("hhqqi0q")
"""struct flock of Linux on 64 bits: type, whence, start, length, process (0 for this kind of lock)."""


def _taken(file: IO[str]) -> bool:
    """Whether it could be taken; it is let go when the file is closed."""
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, os.getpid(), 0))
    except (BlockingIOError, PermissionError):
        return False
    return True


def _holder(file: IO[str]) -> int | None:
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _, _, length, _ = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else int(length)
