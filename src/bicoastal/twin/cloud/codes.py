"""The codes of a device for multi-factor authentication, by its seed and the time (RFC 6238)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time

STEP_S = 30
"""So long is a code shown."""
_DIGITS = 6


def code(seed: str, at: float | None = None) -> str:
    """What a device with this seed (Base32) shows at a time, now by default."""
    return code_of_step(seed, int((time.time() if at is None else at) // STEP_S))


def code_of_step(seed: str, step: int) -> str:
    """The same by the number of the step."""
    digest = hmac.new(base64.b32decode(seed), struct.pack(">Q", step), hashlib.sha1).digest()
    at = digest[-1] & 15
    (number,) = struct.unpack_from(">I", digest, at)
    return f"{(number & 0x7FFFFFFF) % 10**_DIGITS:0{_DIGITS}}"
