"""The one typed boundary to dnslib, for the server and for who asks it: questions and answers as packets."""

from __future__ import annotations

import ipaddress
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass

from dnslib import (
    CLASS,
    EDNS0,
    QTYPE,
    RCODE,
    RR,
    DNSError,
    DNSHeader,
    DNSQuestion,
    DNSRecord,
    EDNSOption,
)

from bicoastal.twin.names.evaluation import Answer, Line

PLAIN_BYTES = 512
"""The largest answer by UDP to who does not say more."""
LARGEST_BYTES = 1232
"""The largest that is sent by UDP at all: what fits everywhere."""
_SUBNET = 8
_IPV4 = 1


@dataclass(frozen=True)
class Subnet:
    """Whose question it is, as a resolver says it (RFC 7871)."""

    address: str
    length: int


@dataclass(frozen=True)
class Question:
    """What is asked."""

    name: str
    kind: str
    subnet: Subnet | None
    largest: int
    """Bytes of the answer by UDP."""
    parsed: DNSRecord
    edns: bool


def read_question(packet: bytes) -> Question | None:
    """Understand a query; None for what is none."""
    try:
        parsed = DNSRecord.parse(packet)
    except (DNSError, ValueError, IndexError, struct.error):
        return None
    if parsed.header.qr or len(parsed.questions) != 1:
        return None
    subnet, largest, edns = None, PLAIN_BYTES, False
    for extra in parsed.ar:
        if extra.rtype == QTYPE.OPT:
            edns = True
            largest = min(max(int(extra.rclass), PLAIN_BYTES), LARGEST_BYTES)
            for option in extra.rdata or ():
                if option.code == _SUBNET:
                    subnet = _read_subnet(bytes(option.data))
    try:
        kind = str(QTYPE[parsed.q.qtype])
    except (DNSError, KeyError):
        kind = f"TYPE{parsed.q.qtype}"
    return Question(str(parsed.q.qname), kind, subnet, largest, parsed, edns)


def supported(question: Question) -> bool:
    """Whether it is an ordinary question about the internet's names."""
    return bool(question.parsed.header.opcode == 0 and question.parsed.q.qclass == CLASS.IN)


def write_answer(question: Question, answer: Answer, ttl: Callable[[float], int], scope: int, largest: int) -> bytes:
    """The packet; without its records and marked as truncated where it is larger than `largest`."""
    reply = _reply(question, scope)
    try:
        reply.header.rcode = getattr(RCODE, answer.code)
        for line in answer.lines:
            reply.add_answer(*_records(line, ttl))
        if answer.authority is not None and (not answer.lines or answer.code == "NXDOMAIN"):
            reply.add_auth(*_records(answer.authority, ttl))
    except (DNSError, ValueError, IndexError, KeyError, AttributeError, TypeError):
        reply = _reply(question, scope)
        reply.header.rcode = RCODE.SERVFAIL
    packed = bytes(reply.pack())
    if len(packed) > largest:
        reply = _reply(question, scope)
        reply.header.tc = 1
        packed = bytes(reply.pack())
    return packed


def write_refusal(packet: bytes, code: str) -> bytes | None:
    """An answer to a packet that is not understood, or not wanted; None where it is no query at all."""
    if len(packet) < 12 or packet[2] & 0x80:
        return None
    flags = 0x8000 | (packet[2] & 0x79) << 8 | getattr(RCODE, code)
    return packet[:2] + struct.pack(">HHHHH", flags, 0, 0, 0, 0)


def write_question(name: str, kind: str, subnet: Subnet | None = None) -> bytes:
    """A query with a random id."""
    header = DNSHeader(id=secrets.randbits(16), rd=1)
    record = DNSRecord(header, q=DNSQuestion(name, getattr(QTYPE, kind)))
    options = [EDNSOption(_SUBNET, _write_subnet(subnet, 0))] if subnet else []
    record.add_ar(EDNS0(udp_len=LARGEST_BYTES, opts=options))
    return bytes(record.pack())


@dataclass(frozen=True)
class Told:
    """An answer, as who asked reads it."""

    code: str
    lines: tuple[Line, ...]
    """TTLs are those of the twin."""
    truncated: bool
    scope: int | None
    """For how many bits of the client's subnet the answer is good; None: nothing is said of it."""


def read_answer(packet: bytes, query: bytes) -> Told | None:
    """Understand an answer; None where it is none to this query."""
    try:
        parsed, asked = DNSRecord.parse(packet), DNSRecord.parse(query)
    except (DNSError, ValueError, IndexError, struct.error):
        return None
    if not parsed.header.qr or parsed.header.id != asked.header.id:
        return None
    if parsed.questions and (parsed.q.qname != asked.q.qname or parsed.q.qtype != asked.q.qtype):
        return None
    lines = tuple(Line(str(rr.rname), str(QTYPE[rr.rtype]), int(rr.ttl), str(rr.rdata)) for rr in parsed.rr)
    options = [option for extra in parsed.ar if extra.rtype == QTYPE.OPT for option in extra.rdata or ()]
    scope = next((bytes(option.data)[3] for option in options if option.code == _SUBNET), None)
    return Told(str(RCODE[parsed.header.rcode]), lines, bool(parsed.header.tc), scope)


def _reply(question: Question, scope: int) -> DNSRecord:
    header = question.parsed.header
    # It answers for its zones and is what programs have for a resolver: both flags are true.
    reply = DNSRecord(DNSHeader(id=header.id, qr=1, aa=1, ra=1, rd=header.rd), q=question.parsed.q)
    if question.edns:
        options = [EDNSOption(_SUBNET, _write_subnet(question.subnet, scope))] if question.subnet else []
        reply.add_ar(EDNS0(udp_len=LARGEST_BYTES, opts=options))
    return reply


def _records(line: Line, ttl: Callable[[float], int]) -> list[RR]:
    return list(RR.fromZone(f"{line.name} {ttl(line.ttl)} IN {line.type} {line.value}"))


def _read_subnet(data: bytes) -> Subnet | None:
    if len(data) < 4:
        return None
    family, length = struct.unpack(">HB", data[:3])
    if family != _IPV4:
        return None
    return Subnet(str(ipaddress.IPv4Address(data[4:8].ljust(4, b"\0"))), length)


def _write_subnet(subnet: Subnet | None, scope: int) -> bytes:
    if subnet is None:
        return b""
    network = ipaddress.IPv4Network(f"{subnet.address}/{subnet.length}", strict=False)
    return struct.pack(">HBB", _IPV4, subnet.length, scope) + network.network_address.packed[: (subnet.length + 7) // 8]
