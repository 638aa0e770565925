"""Unit files as systemd reads them: sections, drop-ins, command lines, environment files. Nothing is run here.

Of a service's settings those are kept that decide what runs and when; of the others (hardening, accounting) only the
names, so that the console can say what is not in force here. A line that systemd would ignore is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bicoastal.core.errors import SystemFault

Settings = dict[str, list[str]]
"""`Section.Key` to its values in order."""

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")
_UNITS_S = {
    "": 1.0, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 0.001, "msec": 0.001, "us": 1e-6,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0,
    "hours": 3600.0, "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "s": " ", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEFAULT_TIMEOUT_S = 90.0
_RUN = frozenset({
    "Type", "ExecStart", "ExecStartPre", "ExecStartPost", "ExecStop", "Environment", "EnvironmentFile",
    "WorkingDirectory", "StandardOutput", "StandardError", "RemainAfterExit", "Restart", "RestartSec", "NotifyAccess",
    "WatchdogSec", "TimeoutStartSec", "TimeoutStopSec", "TimeoutSec", "KillSignal", "SuccessExitStatus",
    "IPAddressDeny", "StateDirectory", "StateDirectoryMode",
})  # fmt: skip


def read_settings(text: str, into: Settings | None = None) -> Settings:
    """The settings of a unit file, on top of those before it. An empty value takes back what was set."""
    found: Settings = {} if into is None else into
    section = ""
    for line in _logical_lines(text):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            continue
        key, equals, value = line.partition("=")
        if not equals or not section:
            continue
        name = f"{section}.{key.strip()}"
        if value.strip():
            found.setdefault(name, []).append(value.strip())
        else:
            found.pop(name, None)
    return found


def _logical_lines(text: str) -> Iterator[str]:
    """Without comments and empty lines; a line that ends with a backslash goes on in the next."""
    begun = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith(("#", ";")) or (not line and not begun):
            continue
        if line.endswith("\\"):
            begun += line[:-1] + " "
            continue
        yield begun + line
        begun = ""
    if begun:
        yield begun.strip()


def seconds(text: str) -> float:
    """A span of time: `30`, `5min 20s`, `infinity`. Raises SystemFault."""
    if text.strip() == "infinity":
        return float("inf")
    parts = _SPAN.findall(text)
    rest = _SPAN.sub("", text).strip()
    if not parts or rest or any(unit not in _UNITS_S for _, unit in parts):
        raise SystemFault(f"{text!r} is no span of time.")
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def is_true(text: str) -> bool:
    """A boolean of a unit file."""
    return text.strip().lower() in ("1", "yes", "true", "on")


@dataclass(frozen=True)
class Command:
    """One ExecStart line, split, before variables are filled in."""

    words: tuple[str, ...]
    ignore_failure: bool = False
    """Begun with `-`."""

    def filled(self, environment: Mapping[str, str]) -> list[str]:
        """The words with `${NAME}` and whole-word `$NAME` replaced, as systemd does it, and `$$` a dollar."""
        filled: list[str] = []
        for index, word in enumerate(self.words):
            if index and word.startswith("$") and _NAME.fullmatch(word[1:]):
                filled.extend(environment.get(word[1:], "").split())
            else:
                filled.append(_VARIABLE.sub(lambda m: environment.get(m[1], "") if m[1] else "$", word))
        return filled


def command(line: str, specifiers: Mapping[str, str]) -> Command:
    """Read an ExecStart line. Raises SystemFault for one that systemd refuses."""
    prefix = re.match(r"[-@:+!|]*", line)
    flags = prefix[0] if prefix else ""
    words = split(line[len(flags) :], specifiers)
    if not words:
        raise SystemFault(f"{line!r} names no program.")
    return Command(tuple(words), "-" in flags)


def split(line: str, specifiers: Mapping[str, str]) -> list[str]:
    """Words by systemd's rules: quotes of both kinds, C escapes, `%%` and specifiers. Raises SystemFault."""
    words: list[str] = []
    word, quote, begun, position = "", "", False, 0
    while position < len(line):
        letter, following = line[position], line[position + 1 : position + 2]
        position += 1
        if quote and letter == quote:
            quote = ""
        elif not quote and letter in "\"'" and not word:
            quote, begun = letter, True
        elif not quote and letter in " \t":
            if begun:
                words.append(word)
            word, begun = "", False
        elif letter == "\\":
            if not following:
                raise SystemFault(f"{line!r} ends within an escape.")
            word, begun, position = word + _ESCAPES.get(following, following), True, position + 1
        elif letter == "%":
            if following != "%" and following not in specifiers:
                raise SystemFault(f"{line!r}: the specifier %{following} is not known here.")
            word, begun, position = word + ("%" if following == "%" else specifiers[following]), True, position + 1
        else:
            word, begun = word + letter, True
    if quote:
        raise SystemFault(f"{line!r}: a quote is not closed.")
    return [*words, word] if begun else words


def environment_file(text: str) -> dict[str, str]:
    """Variables of an EnvironmentFile: in double quotes a backslash frees what follows, if the shell would need it."""
    found: dict[str, str] = {}
    for match in re.finditer(r'^[ \t]*([A-Za-z_]\w*)=((?:"(?:[^"\\]|\\.)*"|\'[^\']*\'|[^\n"\'])*)$', text, re.M | re.S):
        name, raw = match[1], match[2].strip()
        if raw.startswith('"'):
            raw = re.sub(r"\\(.)", lambda m: m[1] if m[1] in '"\\`$\n' else m[0], raw[1:-1], flags=re.S)
        elif raw.startswith("'"):
            raw = raw[1:-1]
        else:
            raw = re.sub(r"\\(.)", r"\1", raw)
        found[name] = raw
    return found


@dataclass(frozen=True)
class Unit:
    """A service's file and its drop-ins."""

    name: str
    settings: Mapping[str, list[str]] = field(repr=False)

    def last(self, name: str, default: str = "") -> str:
        """The value that counts where a setting has one: `Service.Type`."""
        return self.settings.get(name, [default])[-1]

    def names(self, name: str) -> list[str]:
        """All values of a setting that lists units."""
        return [word for value in self.settings.get(name, ()) for word in value.split()]

    def span(self, name: str, default: float) -> float:
        """A span of time, in seconds."""
        given = self.last(name)
        return seconds(given) if given else default

    @property
    def type(self) -> str:
        """`simple`, `exec`, `notify`, `oneshot`."""
        return self.last("Service.Type", "simple" if "Service.ExecStart" in self.settings else "oneshot")

    @property
    def description(self) -> str:
        """For the console."""
        return self.last("Unit.Description", self.name)

    def commands(self, key: str) -> list[Command]:
        """The lines of `ExecStart` and its kin. Raises SystemFault."""
        specifiers = {"n": self.name, "N": self.name.rpartition(".")[0], "p": self.name.rpartition(".")[0], "i": ""}
        return [command(line, specifiers) for line in self.settings.get(f"Service.{key}", ())]

    @property
    def start_timeout_s(self) -> float:
        """A oneshot has none unless it says so."""
        return self.span("Service.TimeoutStartSec", float("inf") if self.type == "oneshot" else _DEFAULT_TIMEOUT_S)

    @property
    def stop_timeout_s(self) -> float:
        """Between SIGTERM and SIGKILL."""
        return self.span("Service.TimeoutStopSec", _DEFAULT_TIMEOUT_S)

    @property
    def conditions(self) -> Iterator[tuple[Path, bool]]:
        """Paths, and whether each must exist."""
        for value in self.settings.get("Unit.ConditionPathExists", ()):
            yield Path(value.lstrip("!|")), not value.startswith("!")

    @property
    def denies_metadata(self) -> bool:
        """Whether the link-local address, or every address, is denied to it."""
        denied = self.names("Service.IPAddressDeny")
        return any(word in ("any", "link-local") or word.startswith("169.254.") for word in denied)

    @property
    def not_in_force(self) -> list[str]:
        """Settings of the service that nothing here does."""
        names = (name.removeprefix("Service.") for name in self.settings if name.startswith("Service."))
        return sorted(name for name in names if name not in _RUN)


def load(folders: Iterable[Path], name: str) -> Unit:
    """A unit by its name, with the drop-ins of its own and of its prefixes (`a-.service.d`). Raises SystemFault."""
    found: Settings | None = None
    for folder in folders:
        if (folder / name).is_file():
            found = read_settings((folder / name).read_text())
            break
    if found is None:
        raise SystemFault(f"Unit file {name} does not exist.")
    dropped: dict[str, Path] = {}
    for folder in folders:
        for place in _drop_in_folders(name):
            for path in sorted((folder / place).glob("*.conf")):
                # Of two of the same file name the one that is nearer to the unit's own name counts.
                dropped[path.name] = path
    for _, path in sorted(dropped.items()):
        read_settings(path.read_text(), found)
    return Unit(name, found)


def _drop_in_folders(name: str) -> list[str]:
    """From the widest to the unit's own: `service.d`, `a-.service.d`, `a-b-.service.d`, `a-b-c.service.d`."""
    stem, _, kind = name.rpartition(".")
    parts = stem.split("-")
    prefixes = ["-".join(parts[:count]) + "-" for count in range(1, len(parts))]
    return [f"{kind}.d", *(f"{prefix}.{kind}.d" for prefix in prefixes), f"{name}.d"]
