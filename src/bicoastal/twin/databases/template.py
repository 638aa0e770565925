"""The cluster that every new one is a copy of: initialized once for a twin, with the roles that RDS keeps to itself.

initdb takes most of a second; it runs in the background when the twin starts, and a first copy is made ready, so that
the first database of a deployment does not wait for either.
"""

from __future__ import annotations

import json
import secrets
import shutil
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import LiteralString

from bicoastal.twin.authority import Authority
from bicoastal.twin.databases import settings
from bicoastal.twin.databases.programs import Programs, copy
from bicoastal.twin.databases.server import Passwords, Server, literal
from bicoastal.twin.home import Home

_MONITORED = (
    "pg_monitor",
    "pg_signal_backend",
    "pg_checkpoint",
    "pg_create_subscription",
    "pg_use_reserved_connections",
)
_RDS_ROLES = ("rds_password", "rds_replication", "rds_iam")


def passwords(home: Home) -> Passwords:
    """Those of the roles that RDS keeps to itself: one pair for a twin, because copies of servers carry them along."""
    path = home.databases("passwords.json")
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(json.dumps({name: secrets.token_urlsafe(24) for name in ("superuser", "replication")}))
    return Passwords(**json.loads(path.read_text()))


class Template:
    """Safe for threads."""

    def __init__(self, home: Home, programs: Programs, authority: Authority, secret: Passwords) -> None:
        """Nothing is made before `prepare`."""
        self._home = home
        self._programs = programs
        self._passwords = secret
        self._server = Server(home, programs, authority, home.databases("template"), "template")
        self._spare = home.databases("spare")
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "twin-template")
        self._ready: Future[None] | None = None

    def prepare(self) -> None:
        """Make it in the background, if it is not there."""
        self._ready = self._worker.submit(self._make)

    def take(self, server: Server) -> None:
        """Give a server its data: an empty cluster. Raises SystemFault when it cannot be made."""
        if self._ready is None:
            self.prepare()
        if self._ready is not None:
            try:
                self._ready.result()
            except Exception:
                # Another try for who asks next: the disk may have been full.
                self._ready = None
                raise
        with self._lock:
            spare = self._spare.exists()
            if spare:
                server.adopt(self._spare, move=True)
        if not spare:
            server.adopt(self._server.data)
        self._worker.submit(self._make)

    def close(self) -> None:
        """Wait for what is being made."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _make(self) -> None:
        server = self._server
        if not server.exists or not (server.folder / "furnished").exists():
            server.initialize(self._passwords)
            server.configure(settings.settings({}, self._programs.parameters()), self._passwords)
            server.start(self._passwords, [])
            try:
                self._furnish()
            finally:
                clean = server.stop()
            if clean:
                (server.folder / "furnished").touch()
        if not self._spare.exists():
            partial = self._home.databases("spare.part")
            shutil.rmtree(partial, ignore_errors=True)
            copy(self._home, server.data, partial)
            with self._lock:
                partial.rename(self._spare)

    def _furnish(self) -> None:
        """RDS's own roles, and what a master may do and give to others."""

        def say(template: LiteralString, **values: str) -> None:
            self._server.ask(self._passwords, literal(template, **values))

        verifier = self._server.verifier(self._passwords, settings.REPLICATION, self._passwords.replication)
        say("CREATE ROLE {name} LOGIN REPLICATION PASSWORD {_password}", name=settings.REPLICATION, _password=verifier)
        for role in (settings.ADMINISTRATORS, *_RDS_ROLES):
            say("CREATE ROLE {name} NOLOGIN", name=role)
        for role in (*_MONITORED, *_RDS_ROLES[:2]):
            say("GRANT {role} TO {name} WITH ADMIN OPTION", role=role, name=settings.ADMINISTRATORS)
