"""Runs a document's Python in a process of its own, which holds a role's credentials and nothing else of the twin's.

It runs as the account that servers run as, where that account can read this Python; else as ours (a checkout in a
folder that nobody else may enter).
"""

from __future__ import annotations

import json
import os
import shutil
import site
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bicoastal.core.errors import SystemFault
from bicoastal.twin.account import Account
from bicoastal.twin.automation import script
from bicoastal.twin.home import Home
from bicoastal.twin.processes import Process, Program

Json = Any
_LOOK_S = 0.01


class Runner:
    """One process, started ahead of the script that it will run. Use it once."""

    def __init__(self, home: Home, name: str, environment: Mapping[str, str]) -> None:
        """`environment` has the credentials. Raises SystemFault when the process cannot be started."""
        account = _account(home)
        base = home.root / "automation"
        base.mkdir(mode=0o755, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="script-", dir=base))
        os.mkfifo(self._folder / "go", 0o600)
        account.own(self._folder)
        command = (sys.executable, "-I", script.__file__, self._folder)
        variables = {"HOME": str(self._folder), "AWS_EC2_METADATA_DISABLED": "true", **environment}
        program = Program(f"automation {name}", command, variables, self._folder)
        self._process = Process(home, program, home.log("automation", name), account)
        self._process.start()

    def run(self, text: str, handler: str, payload: Json, wait: Callable[[float], None]) -> Json:
        """What the handler returned. `wait` is called for a pause and may raise, which ends the process.

        Raises SystemFault with the end of the script's traceback when it fails.
        """
        try:
            job = {"script": text, "handler": handler, "payload": payload}
            path = self._folder / "job.json"
            path.write_text(json.dumps(job))
            shutil.chown(path, *_owner(self._folder))
            self._release(wait)
            while not (self._folder / "answer.json").exists():
                if self._process.exit_code is not None and not (self._folder / "answer.json").exists():
                    raise SystemFault(f"the script's process ended with code {self._process.exit_code}")
                wait(_LOOK_S)
            answer = json.loads((self._folder / "answer.json").read_text())
        finally:
            self.close()
        if "error" in answer:
            raise SystemFault(f"{answer['error']}\n{answer['trace']}")
        return answer["payload"]

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.stop(0)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _release(self, wait: Callable[[float], None]) -> None:
        """Open the way that the process waits at: its other end is there as soon as boto3 is loaded."""
        while True:
            try:
                os.close(os.open(self._folder / "go", os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                if self._process.exit_code is not None:
                    raise SystemFault(
                        f"the script's process ended with code {self._process.exit_code}: see {self._process.log}"
                    ) from None
                wait(_LOOK_S)
            else:
                return


def _owner(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_uid, found.st_gid


def _account(home: Home) -> Account:
    """The servers', if it can read Python, its packages and the program."""
    mine = Account(str(os.geteuid()), os.geteuid(), os.getegid(), dropped=False)
    if not home.account.dropped:
        return mine
    needed = (Path(sys.executable), Path(sys.prefix), Path(script.__file__), *map(Path, site.getsitepackages()))
    return home.account if all(home.account.can_reach(path) for path in needed if path.exists()) else mine
