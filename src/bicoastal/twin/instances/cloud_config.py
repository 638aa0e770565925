"""An instance's user data, as cloud-init reads it: files to write, commands to run, when to power off.

Users and packages are the operating system's: they are read, and not made. Nothing is written or run here.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from bicoastal.core.errors import SystemFault

_KNOWN = frozenset({"users", "packages", "write_files", "runcmd", "power_state"})


@dataclass(frozen=True)
class WrittenFile:
    """One of write_files."""

    path: str
    content: bytes
    mode: int = 0o644
    append: bool = False
    deferred: bool = False


@dataclass(frozen=True)
class Power:
    """When the instance turns itself off; seconds after the end of the boot."""

    delay_s: float
    reboots: bool = False


@dataclass(frozen=True)
class CloudConfig:
    """A `#cloud-config` document."""

    files: tuple[WrittenFile, ...] = ()
    commands: tuple[str | tuple[str, ...], ...] = ()
    """A text is a shell's; words are a program and its arguments."""
    packages: tuple[str, ...] = ()
    power: Power | None = None
    ignored: tuple[str, ...] = ()
    """Keys that nothing is done with here."""


def read(user_data: bytes) -> CloudConfig:
    """Read it. A shell script is one command. Raises SystemFault for what cloud-init could not read either."""
    if user_data.startswith(b"\x1f\x8b"):
        user_data = gzip.decompress(user_data)
    text = user_data.decode("utf-8", "replace")
    if not text.strip():
        return CloudConfig()
    if text.startswith("#!"):
        script = WrittenFile("/var/lib/cloud/instance/scripts/part-001", user_data, 0o700)
        return CloudConfig(files=(script,), commands=((script.path,),))
    if not text.startswith("#cloud-config"):
        raise SystemFault(f"user data begins with {text[:20]!r}: it is neither #cloud-config nor a script.")
    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}  # noqa: S506 - safe both
    except yaml.YAMLError as error:
        raise SystemFault(f"user data is no YAML: {error}") from error
    if not isinstance(document, Mapping):
        raise SystemFault("user data holds no mapping.")
    return CloudConfig(
        files=tuple(_file(item) for item in document.get("write_files") or ()),
        commands=tuple(
            item if isinstance(item, str) else tuple(str(word) for word in item)
            for item in document.get("runcmd") or ()
        ),
        packages=tuple(str(item) for item in document.get("packages") or ()),
        power=_power(document.get("power_state") or {}),
        ignored=tuple(sorted(set(document) - _KNOWN)),
    )


def _file(item: Mapping[str, Any]) -> WrittenFile:
    content = item.get("content", "")
    data = content if isinstance(content, bytes) else str(content).encode()
    encoding = str(item.get("encoding", "text/plain"))
    try:
        if encoding in ("b64", "base64", "gz+b64", "gz+base64", "gzip+b64", "gzip+base64"):
            data = base64.b64decode(data)
        if encoding.startswith("gz"):
            data = gzip.decompress(data)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise SystemFault(f"write_files: {item.get('path')}: is not {encoding}: {error}") from error
    mode = item.get("permissions", "0644")
    return WrittenFile(
        str(item["path"]),
        data,
        int(mode, 8) if isinstance(mode, str) else int(mode),
        bool(item.get("append", False)),
        bool(item.get("defer", False)),
    )


def _power(item: Mapping[str, Any]) -> Power | None:
    """`delay` is `now`, or minutes: `+75`."""
    mode = str(item.get("mode", ""))
    if mode not in ("poweroff", "halt", "reboot") or item.get("condition", True) is False:
        return None
    delay = str(item.get("delay", "now"))
    return Power(0.0 if delay == "now" else 60.0 * float(delay.lstrip("+")), mode == "reboot")
