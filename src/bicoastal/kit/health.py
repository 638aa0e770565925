"""Tells CloudFormation whether the application came up on this instance. A rolling update waits for it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass

from bicoastal.kit import metadata
from bicoastal.kit.aws_cli import AwsCli
from bicoastal.kit.config import Config
from bicoastal.kit.errors import ConfigurationError


@dataclass(frozen=True)
class Outcome:
    """How the start ended, in one line."""

    healthy: bool
    reason: str


def signal(config: Config, aws: AwsCli) -> Outcome:
    """Wait for the health path, then send SUCCESS, or FAILURE at the deadline."""
    if config.signal is None:
        raise ConfigurationError("signal.stack and signal.resource are needed by `signal`.")
    outcome = wait_healthy(config, config.signal.deadline_s)
    me = metadata.instance()
    aws.signal(config.signal.stack, config.signal.resource, me.id, success=outcome.healthy)
    return outcome


def wait_healthy(
    config: Config,
    deadline_s: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Ask until the path answers 200. The reason of a failure is what the last look saw."""
    begun = clock()
    while True:
        mine = config.application
        seen = look(config.loopback, mine.port, mine.health_path, mine.health_timeout_s)
        spent = clock() - begun
        if seen is None:
            return Outcome(True, f"{config.application.health_path} answered 200 after {spent:.1f} s")
        if spent >= deadline_s:
            where = f"{config.loopback}:{config.application.port}{config.application.health_path}"
            return Outcome(False, f"no 200 from {where} within {deadline_s:g} s; last: {seen}")
        pause(config.intervals.health)


def look(host: str, port: int, path: str, timeout_s: float) -> str | None:
    """One look; None is a 200, else what was seen."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers={"User-Agent": "bicoastal-kit"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return None if status == 200 else f"status {status}"
