"""The kit's only settings: one JSON file that user data writes, and another for what differs on one machine.

`docs/kit.md` describes each key.

A misspelt key is an error: a kit that silently watches nothing is worse than one that does not start.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bicoastal.kit.errors import ConfigurationError

DEFAULT_PATH = Path("/opt/bicoastal/etc/kit.json")
EVERYWHERE = "0.0.0.0"  # noqa: S104 - the load balancer comes from other addresses; its security group alone may


@dataclass(frozen=True)
class Application:
    """The team's application on this instance."""

    version: str
    port: int
    health_path: str
    health_timeout_s: float = 5.0
    """For an answer: as the load balancer has it, or a version that is too slow for that would pass here."""
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Environment variable to the ARN of the secret that holds its value."""
    release_command: str | None = None


@dataclass(frozen=True)
class DatabaseSecrets:
    """ARNs of secrets of this region, each `{"username", "password"}`."""

    app: str
    kit: str
    owner: str | None = None
    master: str | None = None


@dataclass(frozen=True)
class Database:
    """Where this region's database is, and the other region's if the application may reach it."""

    name: str
    host: str
    secrets: DatabaseSecrets
    port: int = 5432
    other_host: str | None = None
    other_port: int = 5432
    replica_slot_prefix: str | None = None


@dataclass(frozen=True)
class Gate:
    """Where the closed read gate listens."""

    port: int


@dataclass(frozen=True)
class Witness:
    """The DNS record that says who may write."""

    name: str
    resolvers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Metrics:
    """The CloudWatch agent's StatsD listener."""

    host: str = "127.0.0.1"
    port: int = 8125


@dataclass(frozen=True)
class Signal:
    """The CloudFormation resource that waits for this instance."""

    stack: str
    resource: str
    deadline_s: float = 600.0


@dataclass(frozen=True)
class Intervals:
    """Seconds. A rehearsal at a faster pace divides all of them by the same factor."""

    tick: float = 1.0
    witness: float = 2.0
    isolation: float = 15.0
    """Neither witness nor replica seen for so long: the database fences itself."""
    lift: float = 30.0
    """Both seen without a break for so long: a fence for isolation is lifted."""
    database_timeout: float = 2.0
    """For every answer of the database, connecting included."""
    health: float = 1.0
    """Between two looks at the application's health while it starts."""


@dataclass(frozen=True)
class Config:
    """The whole file."""

    region: str
    other_region: str
    bucket: str
    application: Application
    database: Database
    gate: Gate
    witness: Witness
    root: Path = Path("/opt/bicoastal")
    state: Path = Path("/var/lib/bicoastal-kit")
    """What the daemon keeps: the StateDirectory of its unit."""
    listen: str = EVERYWHERE
    """The address at which application and gate listen."""
    metrics: Metrics = Metrics()
    signal: Signal | None = None
    intervals: Intervals = Intervals()

    @property
    def loopback(self) -> str:
        """Where what listens here is reached from this instance."""
        return "127.0.0.1" if self.listen == EVERYWHERE else self.listen

    @property
    def app_folder(self) -> Path:
        """The unpacked application."""
        return self.root / "app"

    @property
    def certificates(self) -> Path:
        """The authorities that may sign the database's certificate."""
        return self.root / "ca" / "rds.pem"

    @property
    def environment_file(self) -> Path:
        """The application's environment, for systemd."""
        return self.root / "etc" / "application.env"

    @property
    def replica_slot_prefix(self) -> str:
        """Begins the name of the slot of the other region's replica, as RDS names it."""
        return self.database.replica_slot_prefix or f"rds_{self.other_region.replace('-', '_')}_"


def load(path: Path) -> Config:
    """Read the file, and over it `NAME.local.json` beside it, if that is there: what differs on this machine.

    Raises ConfigurationError that names the file and the key.
    """
    data = _read(path)
    local = path.with_suffix(f".local{path.suffix}")
    if not local.exists():
        return parse(data, str(path))
    return parse(_laid_over(data, _read(local)), f"{path} with {local.name}")


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}. Name the file with --config.") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: is not JSON: {error}.") from error


def _laid_over(under: object, over: object) -> object:
    """Objects key by key; everything else as the upper one has it."""
    if isinstance(under, dict) and isinstance(over, dict):
        return {**under, **{key: _laid_over(under.get(key), value) for key, value in over.items()}}
    return over


def parse(data: object, where: str = "kit.json") -> Config:
    """Build the configuration from decoded JSON; `where` begins the messages."""
    return typing.cast(Config, _build(Config, data, where, ""))


def _build(kind: type[Any], data: object, where: str, path: str) -> Any:
    if not isinstance(data, dict):
        raise ConfigurationError(f"{where}: {path or 'the whole'} must be an object, not {_shown(data)}.")
    hints = typing.get_type_hints(kind)
    fields = {item.name: item for item in dataclasses.fields(kind)}
    for key in data:
        if key not in fields:
            raise ConfigurationError(f"{where}: {_join(path, key)} is not known; known here: {', '.join(fields)}.")
    values: dict[str, Any] = {}
    for name, item in fields.items():
        at = _join(path, name)
        if data.get(name) is not None and data[name] != "":
            values[name] = _convert(hints[name], data[name], where, at)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise ConfigurationError(f"{where}: {at} is missing.")
    return kind(**values)


def _convert(hint: Any, value: object, where: str, at: str) -> Any:  # noqa: PLR0911 - one answer per kind of value
    if isinstance(hint, types.UnionType):
        hint = next(option for option in typing.get_args(hint) if option is not type(None))
    if dataclasses.is_dataclass(hint):
        return _build(typing.cast(type[Any], hint), value, where, at)
    origin = typing.get_origin(hint)
    if origin is Mapping and isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return dict(value)
    if origin is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if hint is Path and isinstance(value, str) and value.startswith("/"):
        return Path(value)
    if hint is str and isinstance(value, str):
        return value
    number = _number(value) if hint in (int, float) else None
    if hint is int and number is not None and number == int(number) and 0 < number < 65536:
        return int(number)
    if hint is float and number is not None and number > 0:
        return number
    wanted = {str: "text", int: "a port number", float: "a number of seconds above 0", Path: "an absolute path"}
    names = {Mapping: "an object of strings", tuple: "a list of strings"}
    expected = wanted.get(hint) or names.get(origin, "something else")
    raise ConfigurationError(f"{where}: {at} must be {expected}, not {_shown(value)}.")


def _number(value: object) -> float | None:
    """CloudFormation's Fn::Sub makes text of every number, so text is taken too."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
