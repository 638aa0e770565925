"""The sample application as processes, on instances of both regions, beside real databases."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.instance import Instance
from tests.support.postgres import Laboratory, Pair, replicated, running, wait_until

SAMPLE = Path(__file__).parents[2] / "src" / "bicoastal" / "sample" / "app"
RELEASE = "python3.11 -m orders.migrate"
COMMAND = "python3.11 -m orders"


class Server:
    """One server of the sample application, with the environment that the kit wrote for it."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.port: int = instance.settings["application"]["port"]
        instance.answer("environment")
        # systemd reads the file the same way: its form is a subset of a shell's.
        line = f"set -a; . {instance.config.environment_file}; exec {COMMAND}"
        self._log = (instance.folder / "application").open("ab")
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", line],
            cwd=instance.config.app_folder,
            env={"PATH": instance.environment["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        wait_until("the application answers its health path", self.healthy, 15)

    @property
    def pid(self) -> int:
        """Its process; it stays the same."""
        assert self._process.poll() is None, self.log
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.instance.folder / "application").read_text()

    def healthy(self) -> bool:
        """Whether /healthz answers 200."""
        assert self._process.poll() is None, self.log
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", "/healthz")[0] == 200
        return False

    def ask(
        self, method: str, path: str, body: str | None = None, kind: str = "application/json"
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and body of one request. Waits 15 s at most."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request(method, path, body=body, headers={"Content-Type": kind} if body is not None else {})
            response = connection.getresponse()
            return (
                response.status,
                {key.lower(): value for key, value in response.getheaders()},
                response.read().decode(),
            )
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        """What a GET answers with 200."""
        status, _, body = self.ask("GET", path)
        assert status == 200, body
        return json.loads(body)

    def store(self, order_id: str, item: str = "tea", quantity: int = 1) -> int:
        """POST an order; the status."""
        return self.ask("POST", "/api/orders", json.dumps({"id": order_id, "item": item, "quantity": quantity}))[0]

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait(5)
        self._log.close()


@pytest.fixture(scope="session")
def laboratory() -> Iterator[Laboratory]:
    """PostgreSQL's programs and an initialized cluster."""
    made = Laboratory()
    yield made
    made.end()


@pytest.fixture
def pair(laboratory: Laboratory) -> Iterator[Pair]:
    """A primary in the east and its replica in the west."""
    with running(laboratory.cluster("east")) as primary, replicated(primary) as both:
        yield both


@pytest.fixture
def instances(pair: Pair, tmp_path: Path) -> Iterator[tuple[Instance, Instance]]:
    """An instance in each region, the sample on both, the database bootstrapped and migrated."""
    application = {"release_command": RELEASE}
    east = Instance(tmp_path / "east", pair.primary, application=application, database=_other(pair.replica.port))
    west = Instance(
        tmp_path / "west",
        pair.replica,
        region="us-west-2",
        application=application,
        database=_other(pair.primary.port),
    )
    try:
        for instance in (east, west):
            shutil.copytree(SAMPLE, instance.config.app_folder, ignore=shutil.ignore_patterns("__pycache__"))
        east.answer("bootstrap")
        wait_until("the replica has it", pair.caught_up)
        yield east, west
    finally:
        east.close()
        west.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Instance], Server]]:
    """Start servers; all of them end with the test."""
    servers: list[Server] = []

    def start(instance: Instance) -> Server:
        servers.append(Server(instance))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def _other(port: int) -> dict[str, Any]:
    return {"other_host": "127.0.0.1", "other_port": port}
