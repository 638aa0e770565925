"""The door to PostgreSQL: verified TLS, a deadline on everything, and rows with names.

A session that failed is closed and never used again: after a timeout nobody knows what its next answer belongs to.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import pg8000.native

from bicoastal.kit.aws_cli import Credential
from bicoastal.kit.config import Config
from bicoastal.kit.errors import ConfigurationError, KitError, UnavailableError

Row = Mapping[str, Any]

OPERATOR_TIMEOUT_S = 5.0
"""For the verbs that an operator runs."""
INVALID_PASSWORD = "28P01"  # noqa: S105 - PostgreSQL's code for it
INVALID_AUTHORIZATION = "28000"
UNDEFINED_TABLE = "42P01"
INVALID_SCHEMA = "3F000"
READ_ONLY_TRANSACTION = "25006"
INSUFFICIENT_PRIVILEGE = "42501"
TABLES = """
SELECT n.nspname AS schema, c.relname AS name, has_table_privilege(c.oid, 'SELECT') AS readable
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_'
    AND n.nspname NOT IN ('information_schema', 'bicoastal')
ORDER BY 1, 2
"""
"""The application's tables, in their order; `readable`: by who asks."""


class DatabaseError(UnavailableError):
    """The server refused. `code` is the SQLSTATE, empty if the server never answered."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code

    @property
    def wrong_password(self) -> bool:
        """The role is unknown or its password is another: the secret may have changed."""
        return self.code in (INVALID_PASSWORD, INVALID_AUTHORIZATION)


@dataclass(frozen=True)
class Server:
    """Where to connect, and whose signature to accept."""

    host: str
    port: int
    database: str
    certificates: Path
    timeout_s: float

    @classmethod
    def local(cls, config: Config) -> Server:
        """This region's database."""
        local = config.database
        return cls(local.host, local.port, local.name, config.certificates, config.intervals.database_timeout)

    @classmethod
    def for_operator(cls, config: Config) -> Server:
        """The same with more patience: who asks once waits longer than who asks every second."""
        found = cls.local(config)
        return replace(found, timeout_s=max(found.timeout_s, OPERATOR_TIMEOUT_S))

    def connect(self, credential: Credential, application_name: str) -> Session:
        """Open a session. Raises DatabaseError with the SQLSTATE, ConfigurationError for missing certificates."""
        where = f"{self.host}:{self.port}"
        context = self._tls()
        door: socket.socket | None = None
        try:
            # Ours, and not the driver's: it leaves the socket open when the server falls silent before TLS.
            door = socket.create_connection((self.host, self.port), self.timeout_s)
            door.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            raw = pg8000.native.Connection(
                credential.username,
                host=self.host,
                sock=door,
                database=self.database,
                password=credential.password,
                ssl_context=context,
                application_name=application_name,
            )
        except (pg8000.native.Error, OSError) as error:
            if door is not None:
                door.close()
            raise _translate(error, where) from error
        return Session(raw, where)

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=str(self.certificates))
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"{self.certificates}: no usable certificates ({error}); run `fetch`.") from error


class Session:
    """One connection, in autocommit: each statement is a transaction of its own unless `begin` was called."""

    def __init__(self, raw: pg8000.native.Connection, where: str) -> None:
        self._raw = raw
        self._where = where
        self._met: dict[str, pg8000.native.PreparedStatement | None] = {}

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def query(self, sql: str, **parameters: object) -> list[Row]:
        """Run one statement with `:name` parameters; rows by column name. Raises DatabaseError."""
        try:
            runner = self._prepared(sql) if parameters else None
            rows = self._raw.run(sql, **parameters) if runner is None else runner.run(**parameters)
        except (pg8000.native.Error, OSError) as error:
            raise _translate(error, self._where) from error
        names = [column["name"] for column in (runner or self._raw).columns or ()]
        return [dict(zip(names, row, strict=True)) for row in rows or ()]

    def one(self, sql: str, **parameters: object) -> Row:
        """The single row of a statement."""
        rows = self.query(sql, **parameters)
        if len(rows) != 1:
            raise DatabaseError(
                f"database {self._where}: {len(rows)} rows where one was expected; run `bootstrap` again."
            )
        return rows[0]

    def _prepared(self, sql: str) -> pg8000.native.PreparedStatement | None:
        """A statement that comes again is prepared: the driver and the server need not read it every second."""
        if sql not in self._met:
            self._met[sql] = None
        elif self._met[sql] is None:
            self._met[sql] = self._raw.prepare(sql)
        return self._met[sql]

    def script(self, sql: str) -> None:
        """Run a file of statements, none of which has parameters."""
        try:
            self._raw.execute_simple(sql)
        except (pg8000.native.Error, OSError) as error:
            raise _translate(error, self._where) from error

    def close(self) -> None:
        """End the session; an error here changes nothing any more."""
        try:
            self._raw.close()
        except (pg8000.native.Error, OSError):
            return


def _translate(error: Exception, where: str) -> KitError:
    detail = error.args[0] if error.args else ""
    if isinstance(detail, dict):
        return DatabaseError(f"database {where}: {detail.get('M', 'refused')}", str(detail.get("C", "")))
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return DatabaseError(f"database {where}: its certificate is not accepted: {cause.verify_message}")
    if isinstance(cause, TimeoutError):
        return DatabaseError(f"database {where}: no answer in time")
    return DatabaseError(f"database {where}: {str(cause) or type(cause).__name__}")


def quoted(name: str) -> str:
    """An identifier, for statements that take no parameters."""
    return str(pg8000.native.identifier(name))
