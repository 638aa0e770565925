"""The instance metadata service: who an instance is, and its role's credentials, to the programs on it.

It answers at the instance's own address, on a port that takes no privilege; programs find it by the variable that
AWS's SDKs read. A unit that is denied the link-local address (`IPAddressDeny`) has no such variable, and is reset when
it asks all the same: by whose socket it is, since all programs of this machine come from one address.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bicoastal.core.errors import SystemFault

PORT = 41080
_LONGEST_TOKEN_S = 21600
_HEAD_BYTES = 8192
_IDLE_S = 30.0
_TOKEN = "/latest/api/token"  # noqa: S105 - a path


@dataclass(frozen=True)
class Identity:
    """What an instance may be told of itself."""

    region: str
    zone: str
    account: str
    id: str
    image: str
    type: str
    architecture: str
    private_ip: str
    host_name: str
    launched: str
    groups: tuple[str, ...]
    tags: Mapping[str, str]
    role: str
    """Name of its role; empty: none."""
    profile: Mapping[str, str] = field(default_factory=dict)
    user_data: bytes = b""


@dataclass(frozen=True)
class Options:
    """MetadataOptions of the instance."""

    enabled: bool = True
    token_required: bool = True
    tags: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Options:
        """As DescribeInstances has them."""
        return cls(
            options.get("HttpEndpoint", "enabled") == "enabled",
            options.get("HttpTokens", "optional") == "required",
            options.get("InstanceMetadataTags", "disabled") == "enabled",
        )


Answer = tuple[int, str, bytes]


class Metadata:
    """One instance's service. Its sockets are in the reactor's loop."""

    def __init__(
        self,
        identity: Identity,
        options: Options,
        credentials: Callable[[], Mapping[str, str]],
        denied: Callable[[tuple[str, int]], bool],
    ) -> None:
        """`credentials` blocks, and raises SystemFault where there are none; `denied` tells by a peer's address."""
        self.identity = identity
        self._options = options
        self._credentials = credentials
        self._denied = denied
        self._tokens: dict[str, float] = {}
        self._server: asyncio.Server | None = None

    async def start(self, address: str) -> None:
        """Listen. Raises SystemFault when the port is taken."""
        try:
            self._server = await asyncio.start_server(self._serve, address, PORT, limit=_HEAD_BYTES)
        except OSError as error:
            raise SystemFault(f"metadata service at {address}:{PORT}: {error.strerror}.") from error

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        # Cancelled: the twin ends, and whoever waits should see it.
        with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError, asyncio.CancelledError):
            if await loop.run_in_executor(None, self._denied, writer.get_extra_info("peername")[:2]):
                writer.transport.abort()
                return
            while True:
                async with asyncio.timeout(_IDLE_S):
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, path, headers = _parsed(head)
                status, kind, body = await loop.run_in_executor(None, self.answer, method, path, headers)
                keeps = headers.get("connection", "").lower() != "close" and "HTTP/1.1" in head
                writer.write(_response(status, kind, body, keeps=keeps))
                await writer.drain()
                if not keeps:
                    break
        writer.close()

    def answer(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:  # noqa: PLR0911 - a status each
        """The status, type and body of an answer."""
        path = path.partition("?")[0]
        if not self._options.enabled:
            return 403, "text/html", b""
        if method == "PUT" and path == _TOKEN:
            return self._token(headers)
        if method not in ("GET", "HEAD"):
            return 405, "text/html", b""
        token = headers.get("x-aws-ec2-metadata-token")
        if token is None and self._options.token_required:
            return 401, "text/html", b""
        if token is not None and self._tokens.get(token, 0.0) < time.monotonic():
            return 401, "text/html", b""
        try:
            found = self._find(path)
        except SystemFault:
            return 500, "text/html", b""
        return (404, "text/html", b"") if found is None else (200, "text/plain", found)

    def _token(self, headers: Mapping[str, str]) -> Answer:
        asked = headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if "x-forwarded-for" in headers:
            return 403, "text/html", b""
        if not re.fullmatch(r"\d+", asked) or not 1 <= int(asked) <= _LONGEST_TOKEN_S:
            return 400, "text/html", b""
        now = time.monotonic()
        self._tokens = {token: end for token, end in self._tokens.items() if end > now}
        token = secrets.token_urlsafe(40)
        self._tokens[token] = now + int(asked)
        return 200, "text/plain", token.encode()

    def _find(self, path: str) -> bytes | None:
        """A value; or, for a folder, what is in it."""
        path = re.sub(r"^/(\d{4}-\d{2}-\d{2}|latest)", "", path)
        if path == "/user-data":
            return self.identity.user_data or None
        if path == "/dynamic/instance-identity/document":
            return json.dumps(self._document(), indent=2).encode()
        if not path.startswith("/meta-data"):
            return None
        wanted = path.removeprefix("/meta-data").strip("/")
        values = self._values()
        if wanted in values and not path.endswith("/"):
            value = values[wanted]
            return (value() if callable(value) else value).encode()
        under = f"{wanted}/" if wanted else ""
        inside = [name.removeprefix(under) for name in values if name.startswith(under)]
        if not inside:
            return None
        shown = {name.partition("/")[0] + ("/" if "/" in name else "") for name in inside}
        return "\n".join(sorted(shown)).encode()

    def _values(self) -> dict[str, str | Callable[[], str]]:
        me = self.identity
        values: dict[str, str | Callable[[], str]] = {
            "ami-id": me.image,
            "hostname": me.host_name,
            "instance-id": me.id,
            "instance-life-cycle": "on-demand",
            "instance-type": me.type,
            "local-hostname": me.host_name,
            "local-ipv4": me.private_ip,
            "placement/availability-zone": me.zone,
            "placement/region": me.region,
            "security-groups": "\n".join(me.groups),
            "services/domain": "amazonaws.com",
            "services/partition": "aws",
        }
        if self._options.tags:
            values |= {f"tags/instance/{name}": value for name, value in me.tags.items()}
        if me.role:
            values["iam/info"] = json.dumps({"Code": "Success", **me.profile})
            values[f"iam/security-credentials/{me.role}"] = self._secret
        return values

    def _secret(self) -> str:
        found = self._credentials()
        return json.dumps(
            {
                "Code": "Success",
                "Type": "AWS-HMAC",
                "LastUpdated": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "AccessKeyId": found["AccessKeyId"],
                "SecretAccessKey": found["SecretAccessKey"],
                "Token": found["SessionToken"],
                "Expiration": found["Expiration"],
            },
            indent=2,
        )

    def _document(self) -> dict[str, Any]:
        me = self.identity
        return {
            "accountId": me.account,
            "architecture": me.architecture,
            "availabilityZone": me.zone,
            "imageId": me.image,
            "instanceId": me.id,
            "instanceType": me.type,
            "pendingTime": me.launched,
            "privateIp": me.private_ip,
            "region": me.region,
            "version": "2017-09-30",
        }


def _parsed(head: str) -> tuple[str, str, dict[str, str]]:
    lines = head.split("\r\n")
    words = lines[0].split(" ")
    headers = {
        name.strip().lower(): value.strip()
        for name, colon, value in (line.partition(":") for line in lines[1:])
        if colon
    }
    return words[0], words[1] if len(words) > 1 else "", headers


def _response(status: int, kind: str, body: bytes, *, keeps: bool) -> bytes:
    words = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
    more = "keep-alive" if keeps else "close"
    head = f"HTTP/1.1 {status} {words.get(status, 'Error')}\r\nContent-Type: {kind}\r\nServer: EC2ws\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: {more}\r\n\r\n".encode() + body
