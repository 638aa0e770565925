"""The two archives that instances fetch: the kit, and the team's application. The same content is the same version.

An archive's version is the SHA-256 of its uncompressed bytes, shortened, so that it does not depend on how a machine's
zlib compresses; entries are sorted, and have neither times nor owners. Nothing is uploaded here.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

import bicoastal
from bicoastal.core.errors import Refused, SystemFault

VERSION_DIGITS = 16
APPLICATION_LIMIT_BYTES = 2**30
BUILD_DEADLINE_S = 900.0
_KIT_DISTRIBUTIONS = ("pg8000", "scramp", "asn1crypto", "python-dateutil", "six", "dnslib")
_LEFT_OUT = frozenset({".git", ".hg", ".venv", "venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"})


def kit_bundle() -> bytes:
    """The instance kit with the pure-Python packages that it needs, as tar.gz. Raises SystemFault if one is missing."""
    package = Path(bicoastal.__file__).parent
    files = {"bicoastal/__init__.py": package / "__init__.py"}
    for path in (package / "kit").iterdir():
        if path.suffix in (".py", ".sql"):
            files[f"bicoastal/kit/{path.name}"] = path
    for name in _KIT_DISTRIBUTIONS:
        files.update(_pure_python(name))
    return _archive((name, files[name].read_bytes(), 0o644) for name in sorted(files))


def kit_version() -> str:
    """The version of the kit as it is installed here."""
    return version_of(kit_bundle())


def version_of(bundle: bytes) -> str:
    """The version of a bundle, which names its object: `kits/VERSION.tar.gz`, `applications/VERSION.tar.gz`."""
    return hashlib.sha256(gzip.decompress(bundle)).hexdigest()[:VERSION_DIGITS]


def application_bundle(folder: Path, build: str | None = None, environment: Mapping[str, str] | None = None) -> bytes:
    """The application's folder as tar.gz. `build` is run in a copy of it first, and what it makes is shipped too.

    `environment` is added to the build's: where the bundle will run, if not on Amazon Linux.
    Version control, caches and virtual environments are left out. Raises Refused, with the next move, for a folder that
    cannot be shipped; SystemFault for a disk that cannot be read.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise Refused(f"{folder} {what}: app.folder names the application's folder, relative to the spec.")
    try:
        if build is None:
            return _archive(_application_files(folder))
        with tempfile.TemporaryDirectory(prefix="bicoastal-build-") as room:
            # Measured first: a copy of too much would fill the disk.
            _measure(folder)
            copy = Path(room) / folder.resolve().name
            shutil.copytree(folder, copy, symlinks=True, ignore=lambda _, names: _LEFT_OUT & set(names))
            _run_build(build, copy, environment or {})
            return _archive(_application_files(copy, shown=folder))
    except OSError as error:
        raise SystemFault(f"{error.filename or folder}: cannot be read: {error.strerror or error}.") from error


def content_digest(folder: Path) -> str:
    """The SHA-256 of everything that would be shipped of a folder, before any build. Raises as `application_bundle`."""
    digest = hashlib.sha256()
    for name, content, mode in _application_files(folder):
        data = content.encode() if isinstance(content, str) else content
        digest.update(f"{name}\0{mode}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def _run_build(command: str, folder: Path, environment: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=BUILD_DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Refused(f"app.build `{command}` was not done within {BUILD_DEADLINE_S:g} s.") from error
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip().splitlines()[-20:]
        raise Refused("\n  ".join([f"app.build `{command}` ended with exit code {done.returncode}. It said:", *said]))


def _pure_python(name: str) -> dict[str, Path]:
    """A distribution's modules, its metadata (some read their own version) and its license."""
    try:
        found: Distribution = distribution(name)
    except PackageNotFoundError as error:
        raise SystemFault(
            f"The package {name} is not installed, so the kit cannot be bundled: run `make setup`."
        ) from error
    files = {}
    for item in found.files or ():
        path = PurePosixPath(item)
        wanted = path.suffix == ".py" or path.name == "METADATA" or "LICEN" in path.name.upper()
        if wanted and ".." not in path.parts and not {"test", "tests"} & set(path.parts):
            files[str(path)] = Path(str(found.locate_file(item)))
    return files


def _measure(folder: Path) -> None:
    for _ in _application_paths(folder, folder):
        pass


def _application_files(folder: Path, shown: Path | None = None) -> Iterator[tuple[str, bytes | str, int]]:
    """Name, content (a text is a link's target) and mode of everything to ship; `shown` stands in messages."""
    # All of it is judged before any of it is read: a refusal must not cost a minute of compressing.
    for path in list(_application_paths(folder, shown or folder)):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield name, str(path.readlink()), 0o777
        else:
            executable = path.stat().st_mode & stat.S_IXUSR
            yield name, path.read_bytes(), 0o755 if executable else 0o644


def _application_paths(folder: Path, shown: Path) -> Iterator[Path]:
    """Files and links, sorted; refuses what cannot be shipped before anything of it is read."""
    total, count, root = 0, 0, folder.resolve()
    for path in _walk(folder):
        name = shown / path.relative_to(folder)
        if path.is_symlink():
            target = path.readlink()
            if target.is_absolute() or not (path.parent / target).resolve().is_relative_to(root):
                raise Refused(f"{name} is a link to {target}, out of the folder: copy what it points to.")
        elif not path.is_file():
            raise Refused(f"{name} is neither file, folder nor link: it cannot be shipped. Remove it.")
        else:
            total += path.stat().st_size
        count += 1
        if total > APPLICATION_LIMIT_BYTES:
            raise Refused(f"{shown} holds more than 1 GiB (at {name}): ship code, and keep data elsewhere.")
        yield path
    if count == 0:
        raise Refused(f"{shown} is empty: app.folder names the application's folder, relative to the spec.")


def _walk(folder: Path) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda item: item.name):
        if entry.name in _LEFT_OUT:
            continue
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path)
        else:
            yield path


def _archive(entries: Iterator[tuple[str, bytes | str, int]]) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=9, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, content, mode in entries:
            info = tarfile.TarInfo(name)
            info.mode = mode
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()
