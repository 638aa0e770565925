"""The CloudWatch agent's own configuration file, as far as the agent of the twin goes.

What is not known here (other plugins, measurements that need an operating system of the instance's own) is listed in
`unknown`: the agent says it in its log, and publishes nothing for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Any

_MEMORY = ("used_percent", "used", "total", "available", "available_percent")
_DISK = ("used_percent", "used", "free", "total")
_KNOWN = {"mem": _MEMORY, "disk": _DISK}


@dataclass(frozen=True)
class Measurement:
    """One figure of a plugin."""

    plugin: str
    """`mem` or `disk`."""
    field: str
    """As the plugin has it: `used_percent`."""
    name: str
    """As it is published: `mem_used_percent`, or what `rename` says."""
    unit: str
    interval_s: int
    resources: tuple[str, ...] = ()
    """Of `disk`: mount points."""
    drop_device: bool = False
    dimensions: tuple[tuple[str, str], ...] = ()
    """`append_dimensions` of the plugin."""


@dataclass(frozen=True)
class StatsdListener:
    """The StatsD plugin."""

    port: int
    collect_s: int
    aggregate_s: int
    """0: each collection is published for itself."""


@dataclass(frozen=True)
class File:
    """One entry of `collect_list`."""

    path: str
    """May hold wildcards: the newest file is read."""
    group: str
    stream: str
    retention_days: int
    """-1: the agent sets none."""


@dataclass(frozen=True)
class Configuration:
    """The whole file; times are seconds of a template."""

    namespace: str
    append_dimensions: Mapping[str, str]
    aggregation: tuple[tuple[str, ...], ...]
    interval_s: int
    measurements: tuple[Measurement, ...]
    statsd: StatsdListener | None
    files: tuple[File, ...]
    unknown: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> Configuration:
        """Read it. Raises ValueError, saying where, for one that the agent would refuse."""
        try:
            document = json.loads(text)
            return _configuration(document)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"the agent's configuration is not understood: {error!r}") from error


def _configuration(document: Json) -> Configuration:
    metrics = document.get("metrics") or {}
    interval = int((document.get("agent") or {}).get("metrics_collection_interval", 60))
    collected = metrics.get("metrics_collected") or {}
    unknown = [name for name in collected if name not in (*_KNOWN, "statsd")]
    measurements: list[Measurement] = []
    for plugin in _KNOWN:
        if plugin in collected:
            measurements += _measurements(plugin, collected[plugin], interval, unknown)
    logs = (document.get("logs") or {}).get("logs_collected") or {}
    unknown += [f"logs of {name}" for name in logs if name != "files"]
    return Configuration(
        namespace=str(metrics.get("namespace", "CWAgent")),
        append_dimensions=dict(metrics.get("append_dimensions") or {}),
        aggregation=tuple(tuple(names) for names in metrics.get("aggregation_dimensions") or ()),
        interval_s=interval,
        measurements=tuple(measurements),
        statsd=_statsd(collected["statsd"]) if "statsd" in collected else None,
        files=tuple(_file(entry) for entry in (logs.get("files") or {}).get("collect_list") or ()),
        unknown=tuple(unknown),
    )


def _measurements(plugin: str, given: Json, interval: int, unknown: list[str]) -> Sequence[Measurement]:
    found = []
    for item in given.get("measurement") or ():
        entry = item if isinstance(item, Mapping) else {"name": item}
        field = str(entry["name"]).removeprefix(f"{plugin}_")
        if field not in _KNOWN[plugin]:
            unknown.append(f"{plugin}_{field}")
            continue
        found.append(
            Measurement(
                plugin,
                field,
                str(entry.get("rename") or f"{plugin}_{field}"),
                str(entry.get("unit") or ("Percent" if field.endswith("percent") else "Bytes")),
                int(given.get("metrics_collection_interval", interval)),
                tuple(given.get("resources") or ("*",)),
                bool(given.get("drop_device")),
                tuple((given.get("append_dimensions") or {}).items()),
            )
        )
    return found


def _statsd(given: Json) -> StatsdListener:
    port = str(given.get("service_address", ":8125")).rpartition(":")[2]
    return StatsdListener(
        int(port), int(given.get("metrics_collection_interval", 10)), int(given.get("metrics_aggregation_interval", 60))
    )


def _file(entry: Json) -> File:
    path = str(entry["file_path"])
    return File(
        path,
        str(entry.get("log_group_name") or path.rpartition("/")[2]),
        str(entry.get("log_stream_name") or "{instance_id}"),
        int(entry.get("retention_in_days", -1)),
    )
