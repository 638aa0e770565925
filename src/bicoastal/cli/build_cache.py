"""Bundles of an application for this machine, kept: `up` begins in seconds when nothing of the application has changed.

A build may fetch what it likes, so `deploy` to AWS never takes one from here.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bicoastal.blueprint.bundle import application_bundle, content_digest

HERE = {
    "BICOASTAL_ARCHITECTURE": platform.machine(),
    "BICOASTAL_PYTHON": f"{sys.version_info.major}.{sys.version_info.minor}",
}
"""Tells a build where its bundle will run: on this machine, by its interpreter."""
Bundler = Callable[[Path, str | None], bytes]
"""The application's folder and its build command to its archive."""
_KEPT = 4


def cache_folder() -> Path:
    """The user's folder for what can be made again."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache") / "bicoastal" / "bundles"


def bundler_of(environment: Mapping[str, str]) -> Bundler:
    """Archives for Amazon Linux; where the environment names this machine, as `bicoastal env` has it, those of `up`."""
    here = all(environment.get(name) == value for name, value in HERE.items())
    return cached(cache_folder()) if here else application_bundle


def cached(room: Path) -> Bundler:
    """A bundler that keeps the last few archives in a folder."""

    def bundle(folder: Path, build: str | None) -> bytes:
        if build is None or not folder.is_dir():
            return application_bundle(folder, build)
        wanted = "\0".join([content_digest(folder), build, *HERE.values()])
        place = room / f"{hashlib.sha256(wanted.encode()).hexdigest()[:32]}.tar.gz"
        if not place.exists():
            made = application_bundle(folder, build, HERE)
            room.mkdir(parents=True, exist_ok=True)
            partial = place.with_suffix(f".{os.getpid()}.part")
            partial.write_bytes(made)
            partial.replace(place)
            _forget_old(room)
            return made
        place.touch()
        return place.read_bytes()

    return bundle


def _forget_old(room: Path) -> None:
    for path in sorted(room.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT:]:
        path.unlink(missing_ok=True)
