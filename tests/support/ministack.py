"""A stand-in for AWS as it comes from its makers, in a process of its own on loopback: real CloudFormation calls."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto3.session import Session as Boto3Session

from bicoastal.aws.session import Session

READY_DEADLINE_S = 30.0


@dataclass(frozen=True)
class Ministack:
    """Where it answers."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What points any AWS tool here, with credentials of nobody."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def session(self, **options: Any) -> Session:
        """A session that talks to it; `options` are those of Session."""
        credentials = Boto3Session(aws_access_key_id="test", aws_secret_access_key="test")
        return Session(endpoint_url=self.url, boto3=credentials, **options)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.contextmanager
def ministack(folder: Path) -> Iterator[Ministack]:
    """Start one that keeps what it writes in `folder`; ended, by its id, when the block ends."""
    port = free_port()
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "S3_DATA_DIR": str(folder / "s3"),
        "TMPDIR": str(folder),
        "LOG_LEVEL": "WARNING",
        "MINISTACK_ACCOUNT_ID": "123456789012",
    }
    with (folder / "ministack.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        here = Ministack(f"http://127.0.0.1:{port}")
        _await(here, server, folder / "ministack.log")
        yield here
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(timeout=10)


def _await(here: Ministack, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_DEADLINE_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"ministack ended: {log.read_text(errors='replace')[-2000:]}")
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{here.url}/_ministack/health", timeout=2),
        ):
            return
        time.sleep(0.05)
    raise RuntimeError(f"ministack does not answer: {log.read_text(errors='replace')[-2000:]}")
