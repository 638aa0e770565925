"""Clients for any service and region, with deadlines, standard retries and the call log.

Clients are made once for each service and region and shared by threads. Credentials and endpoints come from where
every AWS tool takes them: AWS_PROFILE, AWS_ENDPOINT_URL, the shared configuration files.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bicoastal.aws.calls import CallLog
from bicoastal.aws.faults import aws_faults
from bicoastal.core.errors import SystemFault

if TYPE_CHECKING:
    from boto3.session import Session as Boto3Session

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
CONNECTIONS = 32
"""Kept open for each service and region: as many as stacks that are deployed there at once."""
ATTEMPTS = 6
"""With botocore's standard mode: throttling and transient faults are retried with exponential backoff and jitter."""


class Session:
    """Gives clients; one for a command."""

    def __init__(
        self,
        log: CallLog | None = None,
        *,
        attempts: int = ATTEMPTS,
        read_timeout_s: float = READ_TIMEOUT_S,
        boto3: Boto3Session | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        """`attempts` counts the first one; `boto3` and `endpoint_url` stand in for what the environment says."""
        self.log = log or CallLog()
        self._attempts = attempts
        self._read_timeout_s = read_timeout_s
        self._boto3 = boto3
        self._endpoint_url = endpoint_url
        self._clients: dict[tuple[str, str], Any] = {}
        self._headers: dict[str, str] = {}
        self._lock = threading.Lock()

    @classmethod
    def at(
        cls,
        endpoint_url: str,
        access_key_id: str,
        secret_access_key: str,
        session_token: str | None = None,
        *,
        log: CallLog | None = None,
        attempts: int = ATTEMPTS,
        read_timeout_s: float = READ_TIMEOUT_S,
        headers: Mapping[str, str] | None = None,
    ) -> Session:
        """One with given credentials at a given place, whatever the environment says; `headers` go with every call."""
        made = cls(
            log,
            attempts=attempts,
            read_timeout_s=read_timeout_s,
            boto3=_with_credentials(access_key_id, secret_access_key, session_token),
            endpoint_url=endpoint_url,
        )
        made._headers = dict(headers or {})
        return made

    def sign_in(self) -> None:
        """Have the credentials now, while a person is there whom their profile may ask for a code.

        Left to the threads that need them, each would ask, and deadlines would run meanwhile. Raises SystemFault where
        there are none.
        """
        with self._lock, aws_faults("signing in"):
            from boto3.session import Session as Boto3Session  # noqa: PLC0415 - as below
            from botocore.exceptions import NoCredentialsError  # noqa: PLC0415

            self._boto3 = self._boto3 or Boto3Session()
            found = self._boto3.get_credentials()
            if found is None:
                raise NoCredentialsError
            try:
                found.get_frozen_credentials()
            except EOFError as error:
                raise SystemFault("signing in: the profile needs a code of your MFA device, and none came.") from error

    def client(self, service: str, region: str) -> Any:
        """The boto3 client for a service in a region. Raises SystemFault where no credentials can be found."""
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._make(service, region)
            return self._clients[service, region]

    def _make(self, service: str, region: str) -> Any:
        from boto3.session import Session as Boto3Session  # noqa: PLC0415 - 0.3 s that only those who call AWS pay
        from botocore.config import Config  # noqa: PLC0415

        with aws_faults(f"making a client for {service} in {region}"):
            self._boto3 = self._boto3 or Boto3Session()
            client = self._boto3.client(
                service,
                region_name=region,
                endpoint_url=self._endpoint_url,
                config=Config(
                    connect_timeout=CONNECT_TIMEOUT_S,
                    read_timeout=self._read_timeout_s,
                    max_pool_connections=CONNECTIONS,
                    retries={"mode": "standard", "total_max_attempts": self._attempts},
                    user_agent_extra="bicoastal",
                ),
            )
        self.log.watch(client)
        if self._headers:
            client.meta.events.register("before-send", self._add_headers)
        return client

    def _add_headers(self, request: Any, **_: Any) -> None:
        for name, value in self._headers.items():
            request.headers[name] = value


def _with_credentials(access_key_id: str, secret_access_key: str, session_token: str | None) -> Boto3Session:
    """Sessions of a process share what botocore has read: EC2's model alone takes 0.1 s and 20 MB to read anew."""
    import botocore.session  # noqa: PLC0415
    from boto3.session import Session as Boto3Session  # noqa: PLC0415

    core = botocore.session.Session()
    core.register_component("data_loader", _models())
    return Boto3Session(access_key_id, secret_access_key, session_token, botocore_session=core)


@lru_cache(maxsize=1)
def _models() -> Any:
    from botocore.loaders import create_loader  # noqa: PLC0415

    loader = create_loader()
    read = loader.file_loader.load_file

    def load_file(path: str) -> Any:
        """Without what nobody reads here: a quarter of every model explains it."""
        return _without_words(read(path))

    loader.file_loader.load_file = load_file
    return loader


def _without_words(data: Any) -> Any:
    if isinstance(data, dict):
        if isinstance(data.get("documentation"), str):
            # Empty and not gone: botocore reads that of a client's context parameters, and fails without it.
            data["documentation"] = ""
        for value in data.values():
            _without_words(value)
    elif isinstance(data, list):
        for value in data:
            _without_words(value)
    return data
