"""Makes a database ready for the application: roles, grants, the kit's schema, then the release command. Idempotent.

It begins as the master, which on RDS is no superuser: it may create roles and databases, nothing more. Two runs at once
wait for each other. A changed password in a secret is carried over. It refuses a replica, and a fenced database.

    master              creates roles; used here alone
    owner               owns the database and the application's tables; runs migrations
    app                 runs the application; owns nothing
    kit                 runs the kit; may execute the kit's functions and read statistics
    bicoastal_guard     owns the kit's schema; cannot log in
    bicoastal_reader    what the application may read
    bicoastal_writer    what the application may write; the fence takes it away
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shlex
import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from importlib.resources import files

from bicoastal.kit.aws_cli import AwsCli, Credential
from bicoastal.kit.config import Config
from bicoastal.kit.database import Server, Session, quoted
from bicoastal.kit.environment import application_environment
from bicoastal.kit.errors import ConfigurationError, RefusedError, UnavailableError

_GROUPS = ("bicoastal_guard", "bicoastal_reader", "bicoastal_writer")
_LOGINS = ("owner", "app", "kit")
_LOCK = 0x6269636F617374  # any number of ours
_LOCK_WAIT_S = 900
_STATEMENT_TIMEOUT_S = 60.0
_RELEASE_DEADLINE_S = 1800.0
_MINIMUM_PASSWORD = 16


def bootstrap(config: Config, aws: AwsCli) -> dict[str, object]:
    """Do it all; returns what was done. Raises RefusedError on a replica or a fenced database."""
    wanted = config.database.secrets
    if not wanted.master or not wanted.owner:
        raise ConfigurationError("database.secrets.master and database.secrets.owner are needed by `bootstrap`.")
    arns = {"owner": wanted.owner, "app": wanted.app, "kit": wanted.kit}
    logins = {name: _checked(aws.credential(arn, name=name), arn) for name, arn in arns.items()}
    master = aws.credential(wanted.master)
    server = replace(Server.local(config), timeout_s=_STATEMENT_TIMEOUT_S)
    # The session that holds the lock does nothing else: it may wait long for another run, and for the release command.
    with replace(server, timeout_s=_LOCK_WAIT_S).connect(master, "bicoastal bootstrap lock") as lock:
        _refuse_replica(lock, config)
        lock.query("SELECT pg_advisory_lock(:key)", key=_LOCK)
        with server.connect(master, "bicoastal bootstrap") as session:
            fenced = _prepare(session, config.database.name, logins)
            if fenced:
                raise RefusedError(
                    f"the database is fenced ({fenced}): it may no longer be the primary. Look at `status` first; "
                    "if this database is to take writes, `unfence` it."
                )
        released = _release(config, aws, server, logins["owner"])
    return {"database": config.database.name, "roles": list(logins), "released": released}


def _prepare(session: Session, database: str, logins: dict[str, Credential]) -> str | None:
    """Roles, ownership, schema and grants, in one transaction; returns the reason of a fence, if any."""
    session.query("BEGIN READ WRITE")
    # ALTER ROLE must not leave a password in the server's log, and nothing here may wait for ever.
    session.query("SET LOCAL lock_timeout = '20s'")
    for name in (*_GROUPS, *_LOGINS):
        if not session.query("SELECT FROM pg_roles WHERE rolname = :name", name=name):
            session.query(f"CREATE ROLE {quoted(name)}")
    for name, credential in logins.items():
        session.query(f"ALTER ROLE {quoted(name)} LOGIN PASSWORD '{scram_verifier(credential.password)}'")
    _grant_memberships(session, database)
    session.query("SET LOCAL ROLE bicoastal_guard")
    session.script(_sql("schema.sql"))
    fenced = session.one("SELECT fence_reason FROM bicoastal.state")["fence_reason"]
    if fenced is None:
        session.query("SELECT bicoastal.admit()")
    session.query("SET LOCAL ROLE owner")
    session.script(_sql("grants.sql"))
    _refuse_leaks(session)
    session.query("COMMIT")
    return fenced if fenced is None else str(fenced)


def _grant_memberships(session: Session, database: str) -> None:
    """Who is a member of whom, and who owns the database."""
    statements = (
        # The master acts as them below; PostgreSQL 16 and later want this said.
        "GRANT owner, bicoastal_guard TO CURRENT_USER",
        # The guard sets the database's default (its owner's right) and ends the application's sessions (their role's).
        "GRANT owner, app TO bicoastal_guard",
        "GRANT bicoastal_writer TO bicoastal_guard WITH ADMIN OPTION",
        "GRANT bicoastal_reader TO app",
        "GRANT pg_monitor TO kit",
        # The kit must be able to lift what the fence sets: a role's own setting wins over its database's.
        "ALTER ROLE kit SET default_transaction_read_only = off",
        f"ALTER DATABASE {quoted(database)} OWNER TO owner",
        f"REVOKE ALL ON DATABASE {quoted(database)} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {quoted(database)} TO app, kit, bicoastal_guard",
        f"GRANT TEMPORARY ON DATABASE {quoted(database)} TO bicoastal_writer",
        "CREATE SCHEMA IF NOT EXISTS bicoastal AUTHORIZATION bicoastal_guard",
    )
    for statement in statements:
        session.query(statement)


def _refuse_leaks(session: Session) -> None:
    """Nothing but bicoastal_writer may let the application write; what cannot be taken away is refused by name."""
    owned = session.query(
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relowner = 'app'::regrole AND relpersistence <> 't'"
        " UNION ALL SELECT oid::regprocedure::text FROM pg_proc WHERE proowner = 'app'::regrole"
        " UNION ALL SELECT nspname FROM pg_namespace WHERE nspowner = 'app'::regrole AND nspname !~ '^pg_'"
    )
    if owned:
        names = ", ".join(str(row["name"]) for row in owned)
        raise RefusedError(
            f"role app owns {names}; give it to owner (ALTER ... OWNER TO owner): no fence binds an owner."
        )
    members = session.query(
        "SELECT m.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member"
        " WHERE a.roleid = 'bicoastal_writer'::regrole AND NOT a.admin_option"
        " AND m.rolname NOT IN ('app', 'bicoastal_guard')"
    )
    if members:
        names = ", ".join(str(row["rolname"]) for row in members)
        raise RefusedError(f"bicoastal_writer is granted to {names}; the fence stops app alone. Revoke it.")
    open_schemas = session.query(
        "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND has_schema_privilege('app', oid, 'CREATE')"
    )
    if open_schemas:
        names = ", ".join(str(row["nspname"]) for row in open_schemas)
        raise RefusedError(f"role app may create in the schema {names}; as its owner REVOKE that from PUBLIC and app.")
    others = session.query(
        "SELECT r.rolname FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid WHERE a.member = 'app'::regrole"
        " AND r.rolname NOT IN ('bicoastal_writer', 'bicoastal_reader')"
    )
    if others:
        names = ", ".join(str(row["rolname"]) for row in others)
        raise RefusedError(f"role app is a member of {names}, which the fence does not take away. Revoke it.")


def _release(config: Config, aws: AwsCli, server: Server, owner: Credential) -> str | None:
    """Run the release command once for this version, then settle what it made; returns the version if it ran."""
    application = config.application
    if not application.release_command:
        return None
    with server.connect(owner, "bicoastal bootstrap release") as session:
        done = session.query("SELECT FROM bicoastal.release WHERE version = :version", version=application.version)
    if done:
        return None
    _run_release(config, application.release_command, application_environment(config, aws, owner, release=True))
    with server.connect(owner, "bicoastal bootstrap release") as session:
        session.query("BEGIN READ WRITE")
        session.script(_sql("grants.sql"))
        _refuse_leaks(session)
        session.query(
            "INSERT INTO bicoastal.release (version) VALUES (:version) ON CONFLICT DO NOTHING",
            version=application.version,
        )
        session.query("COMMIT")
    return application.version


def _run_release(config: Config, command: str, environment: dict[str, str]) -> None:
    if not config.app_folder.is_dir():
        raise ConfigurationError(f"{config.app_folder} is not there; run `fetch` before `bootstrap`.")
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME", "TMPDIR") if name in os.environ}
    try:
        # systemd runs the application's command the same way: a shell reads it, in the application's folder.
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=config.app_folder,
            env={**kept, **environment},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            stderr=sys.stderr,
            timeout=_RELEASE_DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(
            f"release command {shlex.quote(command)}: not done in {_RELEASE_DEADLINE_S:g} s."
        ) from error
    if done.returncode:
        raise RefusedError(
            f"release command {shlex.quote(command)} ended with exit code {done.returncode}; its output is above. "
            "Nothing was recorded: correct it and run `bootstrap` again."
        )


def _refuse_replica(session: Session, config: Config) -> None:
    if session.one("SELECT pg_is_in_recovery() AS replica")["replica"]:
        raise RefusedError(f"the database in {config.region} is a replica; bootstrap in {config.other_region}.")


def _checked(credential: Credential, arn: str) -> Credential:
    """A password that needs no normalization (SASLprep), so that every driver hashes it alike."""
    password = credential.password
    if len(password) < _MINIMUM_PASSWORD or not all("!" <= letter <= "~" for letter in password):
        raise ConfigurationError(
            f"secret {arn}: the password must be {_MINIMUM_PASSWORD} or more printable ASCII characters without spaces."
        )
    return credential


def scram_verifier(password: str, *, salt: bytes | None = None, iterations: int = 4096) -> str:
    """PostgreSQL's stored form of an ASCII password, so that the password itself is in no statement and in no log."""
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = (b64encode(item).decode() for item in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(iterations, *parts)


def _sql(name: str) -> str:
    return (files("bicoastal.kit") / name).read_text(encoding="utf-8")
