"""Starts, awaits and ends the process that serves the twin's AWS API.

The process lives as long as its parent: it ends when the pipe to its standard input closes, which the kernel does even
for a parent that was killed. Everything that it writes is under the folder that it was given.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from bicoastal.core.errors import SystemFault
from bicoastal.twin.memory import ARENAS, ARENAS_VARIABLE

START_S = 60.0
STOP_S = 10.0
ENDPOINT = "endpoint.json"
LOG = "cloud.log"


@dataclass(frozen=True)
class Endpoint:
    """Where the API answers, and the credentials of the account's root."""

    url: str
    access_key_id: str
    secret_access_key: str
    account: str
    token: str
    """Opens the admin paths of the gateway (faults, calls): not an AWS credential."""

    @classmethod
    def read(cls, folder: Path) -> Endpoint:
        """What the process in this folder announced. Raises OSError or ValueError when it has not."""
        return cls(**json.loads((folder / ENDPOINT).read_text()))

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point any AWS tool at the twin."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


class Cloud:
    """The process; also a context manager that ends it."""

    def __init__(self, folder: Path, planes: Sequence[str] = (), pace_factor: float = 1.0) -> None:
        """`folder` holds its state and log; a second start in the same folder finds what the first one left.

        `planes` names the data planes whose controllers run: what they make real is waited for. Times of templates are
        divided by `pace_factor`.
        """
        self.folder = folder
        self._pace_factor = pace_factor
        self._planes = tuple(planes)
        self._process: subprocess.Popen[bytes] | None = None
        self._endpoint: Endpoint | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers. Raises RuntimeError before `wait_until_ready`."""
        if self._endpoint is None:
            raise RuntimeError("the twin's control plane is not ready yet")
        return self._endpoint

    @property
    def pid(self) -> int | None:
        """The process's id, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it and return at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / ENDPOINT).unlink(missing_ok=True)
        with (self.folder / LOG).open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "bicoastal.twin.cloud.server"),
                    *(str(self.folder.resolve()), f"{self._pace_factor:g}", *self._planes),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,
            )

    def wait_until_ready(self, deadline_s: float = START_S) -> Endpoint:
        """Await its first answer. Raises SystemFault, with the end of its log, when it ends or does not answer."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            if self.pid is None:
                break
            try:
                found = Endpoint.read(self.folder)
                ask(found, "calls?after=0")
            except (OSError, ValueError):
                time.sleep(0.01)
                continue
            self._endpoint = found
            return found
        self.stop()
        last = (self.folder / LOG).read_text(errors="replace").strip().splitlines()[-5:]
        raise SystemFault(
            "the twin's control plane did not start.\n    " + "\n    ".join(last) + f"\n    -> See {self.folder / LOG}."
        )

    def stop(self) -> None:
        """End it, and wait until it has saved its state and gone; a process that does not go is killed."""
        process, self._process, self._endpoint = self._process, None, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_S)
        (self.folder / ENDPOINT).unlink(missing_ok=True)

    def __enter__(self) -> Cloud:
        """Start it and await its first answer."""
        self.start()
        self.wait_until_ready()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End it."""
        self.stop()


def ask(endpoint: Endpoint, path: str, body: Any = None, *, within_s: float = 5.0) -> Any:
    """Ask the gateway's admin path: a GET, or a PUT when there is a body. Raises OSError when it does not answer."""
    request = urllib.request.Request(  # noqa: S310 - the URL is ours, on the loopback interface
        f"{endpoint.url}/_twin/{path}",
        data=None if body is None else json.dumps(body).encode(),
        method="GET" if body is None else "PUT",
        headers={"Authorization": f"Bearer {endpoint.token}"},
    )
    with urllib.request.urlopen(request, timeout=within_s) as answer:  # noqa: S310
        return json.loads(answer.read())


def _environment() -> dict[str, str]:
    """Nothing of the caller's AWS settings reaches the process: its credentials and its region are its own."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "MINISTACK_", "LOCALSTACK_", "DOCKER_"))
    }
    return {**inherited, ARENAS_VARIABLE: str(ARENAS)}
