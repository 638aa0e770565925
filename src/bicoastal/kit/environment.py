"""The application's environment, and the file that systemd reads it from. `docs/application.md` is the contract.

Writers are found, not configured (libpq's multi-host addresses, this region first), so that a promotion needs neither a
new file nor a restart.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from bicoastal.kit import metadata
from bicoastal.kit.aws_cli import AwsCli, Credential
from bicoastal.kit.config import Config
from bicoastal.kit.errors import ConfigurationError, UnavailableError

_CONNECTION: Mapping[str, str] = {
    "sslmode": "verify-full",
    "connect_timeout": "2",  # libpq's smallest; a black-holed region costs this once
    "tcp_user_timeout": "5000",
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}

_LOGIN = re.compile(r'"postgresql://(?P<user>[^:@/]+):(?P<password>[^:@/]+)@')
"""What `database_url` quotes has none of these letters, nor any that `render` escapes."""


def write_environment(config: Config, aws: AwsCli) -> Path:
    """Write the file whole or not at all, readable by its owner alone; returns its path."""
    me = metadata.instance()
    values = application_environment(config, aws, aws.credential(config.database.secrets.app, name="app"))
    values |= {"BICOASTAL_INSTANCE_ID": me.id, "BICOASTAL_AVAILABILITY_ZONE": me.zone}
    target = config.environment_file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
        fresh = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(render(values))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise UnavailableError(f"{target}: cannot be written: {error.strerror}.") from error
    return target


def read_credential(file: Path) -> Credential | None:
    """The role and password with which the application connects; None where there is no such file, or no such line."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    given = next((line.partition("=")[2] for line in lines if line.startswith("DATABASE_URL=")), "")
    found = _LOGIN.match(given)
    return Credential(unquote(found["user"]), unquote(found["password"])) if found else None


def application_environment(
    config: Config, aws: AwsCli, credential: Credential, *, release: bool = False
) -> dict[str, str]:
    """Every variable but the instance's own. `release`: as the owner, on this region's database alone."""
    application = config.application
    values = dict(application.environment)
    values |= {name: aws.secret(arn) for name, arn in application.secrets.items()}
    values |= {
        "HOST": config.listen,
        "PORT": str(application.port),
        "AWS_REGION": config.region,
        "BICOASTAL_REGION": config.region,
        "BICOASTAL_OTHER_REGION": config.other_region,
        "DATABASE_URL": database_url(config, credential, "read-write", alone=release),
        "DATABASE_READ_URL": database_url(config, credential, "any", alone=release),
    }
    return values


def database_url(config: Config, credential: Credential, session: str, *, alone: bool = False) -> str:
    """The libpq address of both databases, this region's first; `session` is target_session_attrs."""
    database = config.database
    hosts = f"{database.host}:{database.port}"
    if database.other_host and not alone:
        hosts += f",{database.other_host}:{database.other_port}"
    options = {"target_session_attrs": session, **_CONNECTION, "sslrootcert": str(config.certificates)}
    query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in options.items())
    user, password = quote(credential.username, safe=""), quote(credential.password, safe="")
    return f"postgresql://{user}:{password}@{hosts}/{quote(database.name, safe='')}?{query}"


def render(values: Mapping[str, str]) -> str:
    """The file's text, which systemd and a shell read alike: double quotes, backslashes before what they change."""
    lines = []
    for name, value in sorted(values.items()):
        if "\0" in value or "\n" in value or "\r" in value:
            raise ConfigurationError(
                f"variable {name}: its value holds a line break, which no environment file can carry."
            )
        escaped = "".join(f"\\{letter}" if letter in '"\\`$' else letter for letter in value)
        lines.append(f'{name}="{escaped}"\n')
    return "".join(lines)
