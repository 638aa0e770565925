"""The certificate authority of a twin: what Amazon's are to RDS and ACM. Clients trust its certificate.

It is made once for a folder and found again, so that a client that was started before a restart still trusts what comes
after. Its key never leaves the folder.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE = datetime.timedelta(days=365)
_BEFORE = datetime.timedelta(days=1)
"""For clocks that differ."""


class Authority:
    """Signs servers' certificates; `certificate` is what clients trust."""

    def __init__(self, folder: Path, name: str = "Bicoastal twin") -> None:
        """Find the one of this folder, or make it; one that ends within a day is made anew."""
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "authority.pem"
        key = folder / "authority.key"
        if not (self.certificate.exists() and key.exists() and _lasts(self.certificate)):
            self._make(key, name)
        self._key = _load_key(key)
        self._certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())

    def issue(self, certificate: Path, key: Path, names: Sequence[str] = ("127.0.0.1",)) -> None:
        """Write a certificate for a server of these names and addresses, and its private key (mode 0600)."""
        private = ec.generate_private_key(ec.SECP256R1())
        signed = (
            _builder(_named("localhost"), self._certificate.subject, private.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        _write_key(key, private)

    def _make(self, path: Path, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_named(name), _named(name), key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(_usage(signs=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        _write_key(path, key)
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.certificate.chmod(0o644)


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds another kind of key than this authority makes")
    return key


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)


def _lasts(certificate: Path) -> bool:
    end = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    return end - datetime.datetime.now(datetime.UTC) > _BEFORE


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _LIFE)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
