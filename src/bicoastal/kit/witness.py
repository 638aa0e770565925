"""Asks the DNS who may write. The answer is one TXT record, `epoch=1` or `epoch=2 region=us-west-2`.

The name belongs to a global service, so that looking at it is no traffic between the regions. A wrong, old or forged
packet is dropped; several records, or one that does not read like that, are no answer: nothing is fenced on a guess.
"""

from __future__ import annotations

import re
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dnslib import QTYPE, RCODE, DNSError, DNSRecord

from bicoastal.kit.errors import ConfigurationError, UnavailableError

_FORM = re.compile(r"epoch=([1-9][0-9]{0,17})(?: region=([a-z0-9-]{1,32}))?")
_RESOLV_CONF = Path("/etc/resolv.conf")


@dataclass(frozen=True)
class WitnessAnswer:
    """What the witness says: the highest epoch, and the region that took over with it, if one has."""

    epoch: int
    region: str | None = None


Address = tuple[str, int]


def resolvers(configured: Sequence[str], resolv_conf: Path = _RESOLV_CONF) -> tuple[Address, ...]:
    """The servers to ask, in order. Raises ConfigurationError if there is none."""
    if configured:
        return tuple(_address(item) for item in configured)
    try:
        lines = resolv_conf.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise ConfigurationError(f"{resolv_conf}: cannot be read: {error.strerror}. Set witness.resolvers.") from error
    found = [words[1] for line in lines if (words := line.split()) and words[0] == "nameserver" and len(words) > 1]
    if not found:
        raise ConfigurationError(f"{resolv_conf} names no server. Set witness.resolvers.")
    return tuple((host, 53) for host in found)


def ask(name: str, servers: Sequence[Address], timeout_s: float) -> WitnessAnswer:
    """Ask each server in turn, sharing the time. Raises UnavailableError with what the last one did."""
    problem = "nobody to ask"
    for server in servers:
        try:
            return _ask_one(name, server, timeout_s / len(servers))
        except (OSError, DNSError, UnavailableError) as error:
            problem = f"{server[0]}: {str(error) or type(error).__name__}"
    raise UnavailableError(f"witness {name}: {problem}")


def read(texts: Sequence[str]) -> WitnessAnswer:
    """Understand the record's values. Raises UnavailableError."""
    if len(texts) != 1:
        raise UnavailableError(f"{len(texts)} TXT records where one was expected")
    match = _FORM.fullmatch(texts[0].strip())
    if match is None:
        raise UnavailableError(f"{texts[0][:80]!r} reads neither like 'epoch=N' nor like 'epoch=N region=NAME'")
    return WitnessAnswer(int(match[1]), match[2])


def _ask_one(name: str, server: Address, timeout_s: float) -> WitnessAnswer:
    query = DNSRecord.question(name, "TXT")
    query.header.id = secrets.randbits(16)
    deadline = time.monotonic() + timeout_s
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as door:
        # Connected: the kernel drops what others send, and reports a port where nobody listens at once.
        door.connect(server)
        door.send(query.pack())
        while (left := deadline - time.monotonic()) > 0:
            door.settimeout(left)
            answer = _parse(door.recv(4096))
            if answer is not None and answer.header.id == query.header.id and _same_question(answer, query):
                return _read_answer(answer)
    raise TimeoutError("no answer in time")


def _parse(packet: bytes) -> DNSRecord | None:
    try:
        return DNSRecord.parse(packet)
    except DNSError:
        return None


def _same_question(answer: DNSRecord, query: DNSRecord) -> bool:
    asked, echoed = query.q, answer.q
    return bool(answer.header.qr and echoed.qtype == asked.qtype and echoed.qname == asked.qname)


def _read_answer(answer: DNSRecord) -> WitnessAnswer:
    if answer.header.rcode != RCODE.NOERROR:
        raise UnavailableError(str(RCODE.get(answer.header.rcode)))
    texts = [
        b"".join(record.rdata.data).decode("ascii", "replace") for record in answer.rr if record.rtype == QTYPE.TXT
    ]
    return read(texts)


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if colon and host and ":" not in host:
        if not port.isdigit():
            raise ConfigurationError(f"witness.resolvers: {text!r} is not ADDRESS or ADDRESS:PORT.")
        return host, int(port)
    return text, 53
