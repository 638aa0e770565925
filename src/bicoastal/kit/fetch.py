"""Brings the application and the database's certificates to this instance, whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import os
import posixpath
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath

from bicoastal.kit.aws_cli import AwsCli
from bicoastal.kit.config import Config
from bicoastal.kit.errors import ConfigurationError, UnavailableError

_MARK = ".bicoastal-version"
_CHUNK = 1 << 20
_CERTIFICATES_KEY = "ca/rds.pem"


def fetch(config: Config, aws: AwsCli) -> dict[str, str]:
    """Do it; returns what is there now. What is there already is left alone."""
    try:
        config.root.mkdir(parents=True, exist_ok=True)
        _certificates(config, aws)
        _application(config, aws)
    except OSError as error:
        raise UnavailableError(f"{error.filename or config.root}: cannot be written: {error.strerror}.") from error
    return {"application": config.application.version, "certificates": str(config.certificates)}


def _certificates(config: Config, aws: AwsCli) -> None:
    if config.certificates.exists():
        return
    config.certificates.parent.mkdir(parents=True, exist_ok=True)
    fresh = config.certificates.with_suffix(".new")
    aws.download(config.bucket, _CERTIFICATES_KEY, fresh)
    fresh.chmod(0o644)
    fresh.replace(config.certificates)


def _application(config: Config, aws: AwsCli) -> None:
    version, target = config.application.version, config.app_folder
    mark = target / _MARK
    if mark.is_file() and mark.read_text(encoding="ascii") == version:
        return
    with tempfile.TemporaryDirectory(prefix=".app-", dir=config.root) as room:
        archive, plain, fresh = Path(room) / "bundle.tar.gz", Path(room) / "bundle.tar", Path(room) / "app"
        aws.download(config.bucket, f"applications/{version}.tar.gz", archive)
        try:
            # Of the content, not of the compressed file: two builds of zlib compress the same content differently.
            with gzip.open(archive) as content, plain.open("wb") as unpacked:
                shutil.copyfileobj(content, unpacked, _CHUNK)
            with plain.open("rb") as unpacked:
                digest = hashlib.file_digest(unpacked, "sha256").hexdigest()
            if not digest.startswith(version):
                raise ConfigurationError(
                    f"applications/{version}.tar.gz has the content {digest[:16]}; upload it again."
                )
            with tarfile.open(plain) as bundle:
                _unpack(bundle, fresh)
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ConfigurationError(f"applications/{version}.tar.gz cannot be unpacked: {error}.") from error
        (fresh / _MARK).write_text(version, encoding="ascii")
        fresh.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        fresh.replace(target)


def _unpack(bundle: tarfile.TarFile, target: Path) -> None:
    """Files, folders and links that stay inside; raises TarError for all else.

    tarfile's own filter does the same, in Python 3.11.4 and later, and looks at every folder of every path anew.
    """
    made: set[PurePosixPath] = set()

    def folder(path: PurePosixPath) -> None:
        if path not in made:
            if path.parts:
                folder(path.parent)
            try:
                (target / path).mkdir(mode=0o755)
            except FileExistsError as error:
                # A link: what was written through it could leave the folder.
                raise tarfile.TarError(f"{path} is no folder, and has something in it") from error
            made.add(path)

    folder(PurePosixPath())
    for member in bundle:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise tarfile.TarError(f"{member.name} is outside of the folder")
        if member.isdir():
            folder(path)
            continue
        folder(path.parent)
        if member.issym() and _stays_inside(path, member.linkname):
            (target / path).symlink_to(member.linkname)
        elif member.isfile() and (content := bundle.extractfile(member)) is not None:
            mode = 0o755 if member.mode & 0o100 else 0o644
            with os.fdopen(os.open(target / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                shutil.copyfileobj(content, file, _CHUNK)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.utime(file.fileno(), (member.mtime, member.mtime))
        else:
            raise tarfile.TarError(f"{member.name} is neither file, folder nor link within the folder")


def _stays_inside(path: PurePosixPath, linked: str) -> bool:
    end = posixpath.normpath(path.parent / linked)
    return not linked.startswith("/") and end != ".." and not end.startswith("../")
