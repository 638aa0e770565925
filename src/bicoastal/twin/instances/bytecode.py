"""Compiled modules that instances share: a boot is mostly Python compiling what the boot before has compiled.

On AWS every instance compiles for itself, on a core of its own; here four boot at once on two. So the `__pycache__` of
each folder of a tree is a link to one folder for all trees of that very content. What is in it is what the interpreter
writes, and it is taken only for a source of the same time and size: a module runs as it would without.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from bicoastal.twin.account import Account


class Bytecode:
    """The shared folders; safe for threads and processes: the interpreter writes each file whole."""

    def __init__(self, folder: Path, account: Account) -> None:
        """`folder` is made when it is needed; `account` compiles into it."""
        self._folder = folder
        self._account = account

    def share(self, tree: Path) -> None:
        """Link the caches of a tree. Where that cannot be, the instance compiles for itself."""
        folders = list(_packages(tree))
        shared = self._folder / f"{sys.implementation.cache_tag}-{_content(tree, folders)}"
        with contextlib.suppress(OSError):
            for folder, _ in folders:
                target = shared / folder.relative_to(tree)
                if not target.exists():
                    target.mkdir(parents=True, exist_ok=True, mode=0o755)
                    self._own(target)
                with contextlib.suppress(FileExistsError):
                    (folder / "__pycache__").symlink_to(target)

    def _own(self, target: Path) -> None:
        for folder in (target, *target.parents):
            if folder == self._folder:
                return
            if self._account.dropped:
                os.chown(folder, self._account.user_id, self._account.group_id)


def _packages(tree: Path) -> Iterator[tuple[Path, list[str]]]:
    """Folders that hold modules, and their names."""
    for folder, names, files in os.walk(tree):
        if "__pycache__" in names:
            names.remove("__pycache__")
        names.sort()
        modules = sorted(name for name in files if name.endswith(".py"))
        if modules:
            yield Path(folder), modules


def _content(tree: Path, folders: list[tuple[Path, list[str]]]) -> str:
    digest = hashlib.sha256()
    for folder, modules in folders:
        for name in modules:
            with contextlib.suppress(OSError):
                with open(f"{folder}/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - hundreds, at each boot
                    data = file.read()
                digest.update(f"{str(folder)[len(str(tree)) :]}/{name}\0{len(data)}\0".encode())
                digest.update(data)
    return digest.hexdigest()[:32]
