"""What AWS or the way to it did not do, in the project's words: who could not be asked, for what, and the next move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bicoastal.core.errors import InputError, SystemFault
from bicoastal.core.findings import Finding, Location, Severity

UNKNOWN_ACTION = frozenset({"InvalidAction", "UnknownOperationException", "UnknownAction", "NotImplemented"})
"""How an API says that it doesn't have an action, or not yet: `ApiFault.code` is then one of these."""
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
"""How an API says that these credentials may not."""
_DENIED = "Use credentials that may do this; the policy `operator` of the access stack lists what is needed."
_REMEDIES = {
    **dict.fromkeys(DENIED, _DENIED),
    "ExpiredToken": "Sign in again, then run the same command: it carries on.",
    "ExpiredTokenException": "Sign in again, then run the same command: it carries on.",
    "InvalidClientTokenId": "The access key is unknown to AWS; check AWS_PROFILE.",
    "UnrecognizedClientException": "The access key is unknown to AWS; check AWS_PROFILE.",
    "OptInRequired": "The region or service is not enabled in this account; enable it, then run again.",
    "Throttling": "AWS still throttles after several tries; wait a minute, then run the same command: it carries on.",
}


class ApiFault(SystemFault):
    """AWS answered with an error; `code` is its own word for it, such as `AccessDenied`."""

    def __init__(self, message: str, code: str) -> None:
        self.code = code
        super().__init__(message)


@contextmanager
def aws_faults(doing: str) -> Iterator[None]:
    """Turn botocore's exceptions into SystemFault (ApiFault for an answer), or InputError for a wrong profile.

    `doing` begins the message.
    """
    from botocore import exceptions  # noqa: PLC0415 - 0.1 s that only those who call AWS pay

    try:
        yield
    except exceptions.ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        message = error.response.get("Error", {}).get("Message", "")
        remedy = _REMEDIES.get(code, "Run the same command again when it is resolved: it carries on.")
        raise ApiFault(f"{doing}: AWS answered {code}: {message}\n    -> {remedy}", code) from error
    except exceptions.ProfileNotFound as error:
        finding = Finding(
            "credentials",
            Severity.ERROR,
            str(error),
            Location("AWS_PROFILE"),
            remedy="Name a profile that is configured.",
        )
        raise InputError([finding]) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise SystemFault(
            f"{doing}: no AWS credentials were found.\n    -> Set AWS_PROFILE, or sign in with `aws sso login`."
        ) from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        raise SystemFault(
            f"{doing}: no answer: {error}\n"
            "    -> Check the network and AWS_ENDPOINT_URL, then run the same command again."
        ) from error
    except exceptions.BotoCoreError as error:
        raise SystemFault(f"{doing}: {error}") from error
