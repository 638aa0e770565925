"""The authority: verified TLS by name and by address, across restarts."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from bicoastal.twin.authority import Authority


def handshake(authority: Authority, certificate: Path, key: Path, name: str) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=str(authority.certificate))
    here, there = socket.socketpair()
    here.settimeout(5)
    there.settimeout(5)

    def serve() -> None:
        try:
            with server.wrap_socket(there, server_side=True):
                pass
        except (ssl.SSLError, OSError):
            pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(here, server_hostname=name):
            pass
    finally:
        here.close()
        thread.join(5)
        there.close()


def test_clients_verify_names_and_addresses_after_a_restart(tmp_path: Path) -> None:
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    before = Authority(tmp_path / "authority")
    again = Authority(tmp_path / "authority")
    again.issue(certificate, key, ["127.0.0.9", "db.localhost"])
    assert key.stat().st_mode & 0o777 == 0o600
    for name in ("127.0.0.9", "db.localhost"):
        handshake(before, certificate, key, name)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(before, certificate, key, "127.0.0.8")


def test_another_authority_is_not_trusted(tmp_path: Path) -> None:
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    Authority(tmp_path / "one").issue(certificate, key)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(Authority(tmp_path / "other"), certificate, key, "127.0.0.1")
