"""Sessions for the verbs, with the passwords that this instance has already.

An operator waits for a verb, with writes stopped as like as not, and the region's API may be away: Secrets Manager is
asked only where a password is not here, or is not accepted any more.
"""

from __future__ import annotations

from bicoastal.kit.aws_cli import AwsCli, Credential
from bicoastal.kit.config import Config
from bicoastal.kit.database import DatabaseError, Server, Session
from bicoastal.kit.environment import read_credential
from bicoastal.kit.keeping import Keeper


def as_kit(config: Config, aws: AwsCli, application_name: str) -> Session:
    """A session on the local database. Raises DatabaseError, UnavailableError where the secret cannot be read."""
    known = Keeper(config.state).read()
    return _session(config, aws, known, config.database.secrets.kit, "kit", application_name)


def as_application(config: Config, aws: AwsCli, application_name: str) -> Session:
    """The same, as the application: with the password that its environment has."""
    known = read_credential(config.environment_file)
    return _session(config, aws, known, config.database.secrets.app, "app", application_name)


def _session(  # noqa: PLR0917 - who, where, and how it is told apart
    config: Config, aws: AwsCli, known: Credential | None, secret: str, role: str, application_name: str
) -> Session:
    server = Server.for_operator(config)
    if known is not None:
        try:
            return server.connect(known, application_name)
        except DatabaseError as error:
            if not error.wrong_password:
                raise
    return server.connect(aws.credential(secret, name=role), application_name)
