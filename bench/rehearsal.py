"""A twin in this process with the sample deployed on it, for campaigns that take regions away and kill operators.

The operators themselves are processes of their own, started by the command line, for only a process can be killed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from bicoastal.aws.session import Session
from bicoastal.cli.build_cache import cache_folder, cached
from bicoastal.cli.deploy import ending
from bicoastal.cli.operating import subject_from
from bicoastal.cli.package import package
from bicoastal.deploy.deployment import Wishes, deploy
from bicoastal.deploy.moments import quiet
from bicoastal.operate.subject import Subject
from bicoastal.spec.load import load
from bicoastal.stacks.view import view
from bicoastal.twin.cloud.process import ask
from bicoastal.twin.pace import FAST, Pace
from bicoastal.twin.twin import Twin

ROOT = Path(__file__).resolve().parents[1]
SPEC = ROOT / "examples" / "orders" / "bicoastal.yaml"


class Rehearsal:
    """A context manager: a twin at a pace, in a folder of its own that goes with it."""

    def __init__(self, spec: Path = SPEC, pace: Pace = FAST) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bicoastal-rehearsal-"))
        # Servers run as an unprivileged account, which must get in.
        self.folder.chmod(0o755)
        self.spec = spec
        self.twin = Twin(self.folder / "home", tuple(load(spec).regions), pace)

    def __enter__(self) -> Rehearsal:
        try:
            self.twin.start()
            self._deploy()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End all of it."""
        self.twin.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def subject(self) -> Subject:
        """The deployment, as operations know it."""
        return subject_from(load(self.spec))

    @property
    def prefix(self) -> str:
        """Begins the stacks' names."""
        return self.subject.prefix

    def database(self, region: str) -> str:
        """Identifier of the one that the region's stack has now."""
        stack = view(self.session, self.subject.stack("database"), region)
        if stack is None:
            raise RuntimeError(f"there is no database's stack in {region}")
        return stack.outputs["DatabaseId"]

    @property
    def session(self) -> Session:
        """Of a customer of the twin's AWS."""
        endpoint = self.twin.endpoint
        return Session.at(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key, attempts=2)

    @property
    def environment(self) -> Mapping[str, str]:
        """Points the command line at this twin."""
        return {
            **os.environ,
            **self.twin.endpoint.environment,
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_REGION": "us-west-2",
            "XDG_STATE_HOME": str(self.folder / "state"),
            "BICOASTAL_HOME": str(self.folder / "home"),
            "BICOASTAL_DATABASE_CA": str(self.twin.ground.authority.certificate),
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "bicoastal.cli", *words, "--spec", str(self.spec)],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, within_s: float = 300) -> tuple[int, str]:
        """Run a command to its end; returns its exit code and what it said."""
        process = self.start(*words)
        try:
            said, _ = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            said += f"\nkilled: it did not end within {within_s:g} s"
        return process.returncode, said

    def calls(self, after: int = 0) -> list[dict[str, Any]]:
        """What the API's gateway saw, from a number on."""
        found: list[dict[str, Any]] = ask(self.twin.endpoint, f"calls?after={after}")
        return found

    def _deploy(self) -> None:
        what = package(self.spec, None, self.twin.ground.authority.certificate.read_bytes(), cached(cache_folder()))
        result = deploy(self.session, what, Wishes(), quiet, threading.Event())
        if result.exit_code:
            raise RuntimeError("\n".join(line for line, _ in ending(result)))
