"""Who this instance is, from the metadata service (IMDSv2 only: a token first, then the question)."""

from __future__ import annotations

import http.client
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from bicoastal.kit.errors import UnavailableError

_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Instance:
    """This instance."""

    id: str
    zone: str


def instance() -> Instance:
    """Ask the service at AWS_EC2_METADATA_SERVICE_ENDPOINT, by default the link-local address."""
    endpoint = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or "http://169.254.169.254"
    where = urlsplit(endpoint)
    prefix = where.path.rstrip("/")
    try:
        token = _ask(where.netloc, "PUT", f"{prefix}/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        header = {"X-aws-ec2-metadata-token": token}
        return Instance(
            id=_ask(where.netloc, "GET", f"{prefix}/latest/meta-data/instance-id", header),
            zone=_ask(where.netloc, "GET", f"{prefix}/latest/meta-data/placement/availability-zone", header),
        )
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(f"metadata service {endpoint}: {str(error) or type(error).__name__}.") from error


def _ask(host: str, method: str, path: str, headers: dict[str, str]) -> str:
    connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_S)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        body = response.read(4096)
        if response.status != 200:
            raise UnavailableError(f"metadata service: {method} {path} answered {response.status}.")
        return body.decode("ascii", "replace").strip()
    finally:
        connection.close()
