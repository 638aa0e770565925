"""What of the instance kit's configuration is different on this machine: the file `kit.local.json` beside its own.

Intervals that are a template's follow the twin's pace; what a real database or program needs is not made shorter than
it can be. `docs/kit.md` describes the keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bicoastal.twin.pace import Pace

LOCAL = "kit.local.json"
STATSD_PORT = 8125
_INTERVALS: Mapping[str, tuple[float, float]] = {
    "tick": (1.0, 0.1),
    "witness": (2.0, 0.1),
    "isolation": (15.0, 0.5),
    "lift": (30.0, 0.5),
    "database_timeout": (2.0, 0.5),
}
"""The kit's own default, and the shortest that is of use here; in seconds."""
_HEALTH_S = 0.1
"""Between two looks of `signal`: a boot on this machine takes a second, and should not wait for another one."""
_SHORTEST_DEADLINE_S = 30.0


def local_settings(
    configuration: Mapping[str, Any], *, state: Path, listen: str, resolver: str, pace: Pace
) -> dict[str, Any]:
    """The content of the file for an instance whose kit has this folder, this address, and this resolver.

    The last as `ADDRESS:PORT`.
    """
    given: Mapping[str, Any] = configuration.get("intervals") or {}
    intervals = {
        name: max(pace.seconds(float(given.get(name) or default)), least)
        for name, (default, least) in _INTERVALS.items()
    }
    found: dict[str, Any] = {
        "state": str(state),
        "listen": listen,
        "metrics": {"host": listen, "port": int((configuration.get("metrics") or {}).get("port") or STATSD_PORT)},
        "witness": {"resolvers": [resolver]},
        "intervals": {**intervals, "health": min(pace.seconds(float(given.get("health") or 1.0)), _HEALTH_S)},
    }
    if timeout_s := (configuration.get("application") or {}).get("health_timeout_s"):
        # As long as the load balancer waits, here as there.
        found["application"] = {"health_timeout_s": pace.seconds(float(timeout_s))}
    if signal := configuration.get("signal"):
        deadline = pace.seconds(float(signal.get("deadline_s") or 600.0))
        found["signal"] = {"deadline_s": max(deadline, _SHORTEST_DEADLINE_S)}
    return found
