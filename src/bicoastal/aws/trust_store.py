"""The certificates that sign RDS's, as AWS publishes them: what the instances verify the database's TLS against.

Fetched at each deployment and not shipped with this program: AWS adds authorities, and a copy of ours would grow old.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from bicoastal.core.errors import Refused, SystemFault

URL = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
_DEADLINE_S = 20.0
_LIMIT_BYTES = 2**21
_BEGIN = b"-----BEGIN CERTIFICATE-----"


def database_certificates(file: Path | None = None) -> bytes:
    """The bundle as PEM, from `file` where one is given, else from AWS. SystemFault where it can't be had."""
    if file is not None:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise Refused(f"{file}: cannot be read: {error.strerror}.\n    -> Check --database-ca.") from error
        return _checked(content, str(file))
    try:
        with urllib.request.urlopen(URL, timeout=_DEADLINE_S) as answer:
            content = answer.read(_LIMIT_BYTES + 1)
    except (urllib.error.URLError, OSError) as error:
        raise SystemFault(
            f"The certificates of RDS cannot be fetched from {URL}: {getattr(error, 'reason', error)}\n"
            "    -> Check the way to the internet, or hand over a copy with --database-ca FILE."
        ) from error
    return _checked(content, URL)


def _checked(content: bytes, where: str) -> bytes:
    if _BEGIN not in content or len(content) > _LIMIT_BYTES:
        raise SystemFault(
            f"{where} holds no bundle of certificates in PEM form.\n    -> Give one with --database-ca FILE."
        )
    return content
