"""Multi-factor authentication: virtual devices whose codes are right or wrong (RFC 6238), and roles that ask for them.

ministack keeps devices, and takes any code; a role whose trust demands a code could be assumed by nobody at all.
Here a device has a seed that an authenticator understands, is enabled by two codes in a row, and AssumeRole with its
serial number and code counts as authenticated. The session itself does not bear the key, as on AWS.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from bicoastal.twin.cloud import answers, emulator
from bicoastal.twin.cloud.answers import Answer, ServiceError
from bicoastal.twin.cloud.codes import STEP_S, code_of_step
from bicoastal.twin.cloud.rights import MFA_PRESENT

Json = Any
_EARLIER, _LATER = 1, 1
"""Steps that a device's clock may be off."""
_IAM = "https://iam.amazonaws.com/doc/2010-05-08/"
_STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_SEED_BYTES = 40


def install() -> None:
    """Put it before IAM's and STS's own."""
    table = emulator.of_service("iam", "_IAM_HANDLERS")
    table["CreateVirtualMFADevice"] = _created(table["CreateVirtualMFADevice"])
    table["EnableMFADevice"] = _enabled(table["EnableMFADevice"])
    handlers = emulator.service_handlers()
    handlers["sts"] = _authenticated(handlers["sts"])


def _created(inner: Callable[[Json], Answer]) -> Callable[[Json], Answer]:
    def create(parameters: Json) -> Answer:
        known = set(_devices())
        status, headers, body = inner(parameters)
        for serial in set(_devices()) - known:
            record, seed = _devices()[serial], base64.b32encode(secrets.token_bytes(_SEED_BYTES)).decode()
            body = body.replace(_wire(record["Base32StringSeed"]), _wire(seed))
            _devices()[serial] = {**record, "Base32StringSeed": seed}
        return status, headers, body

    return create


def _enabled(inner: Callable[[Json], Answer]) -> Callable[[Json], Answer]:
    def enable(parameters: Json) -> Answer:
        given = answers.unflatten(parameters)
        device = _devices().get(given.get("SerialNumber", ""))
        first, second = given.get("AuthenticationCode1", ""), given.get("AuthenticationCode2", "")
        if device is not None and not _in_a_row(device["Base32StringSeed"], first, second):
            error = ServiceError("InvalidAuthenticationCode", "Authentication code for device is not valid.", 403)
            return answers.query_error(error, _IAM)
        return inner(parameters)

    return enable


def _authenticated(inner: Callable[..., Any]) -> Callable[..., Any]:
    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Json]
    ) -> Answer:
        given = answers.unflatten({**query, **parse_qs(body.decode(errors="replace"))})
        asked = given.get("Action") == "AssumeRole" and bool(given.get("SerialNumber"))
        if asked and not _right(str(given["SerialNumber"]), str(given.get("TokenCode", ""))):
            text = "MultiFactorAuthentication failed with invalid MFA one time pass code."
            return answers.query_error(ServiceError("AccessDenied", text, 403), _STS)
        token = MFA_PRESENT.set(asked)
        try:
            answer: Answer = await inner(method, path, headers, body, query)
        finally:
            MFA_PRESENT.reset(token)
        return answer

    return handle


def _right(serial: str, given: str) -> bool:
    """Of the caller's own device, and of now."""
    device = _devices().get(serial)
    if device is None or not device.get("User") or not emulator.caller().endswith(f"/{device['User']}"):
        return False
    now = int(time.time() // STEP_S)
    return given in [code_of_step(device["Base32StringSeed"], step) for step in range(now - _EARLIER, now + _LATER + 1)]


def _in_a_row(seed: str, first: str, second: str) -> bool:
    """Both are of about now, the second following the first: people wait for it."""
    now = int(time.time() // STEP_S)
    return any(
        (first, second) == (code_of_step(seed, step), code_of_step(seed, step + 1))
        for step in range(now - _EARLIER - 1, now + _LATER)
    )


def _wire(seed: str) -> bytes:
    return base64.b64encode(seed.encode())


def _devices() -> Any:
    return emulator.store("iam", "_mfa_devices")
