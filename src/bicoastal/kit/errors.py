"""The exceptions that a verb ends with, split by what the caller should do. Nobody prints a traceback for these.

KitError
├── ConfigurationError   fix kit.json or the arguments      exit 2
├── RefusedError         the answer is no                   exit 1
└── UnavailableError     AWS, network or database; retry    exit 3
"""

from __future__ import annotations


class KitError(Exception):
    """Anything that a verb may end with; its text is one line: what failed and what to do."""

    exit_code = 3


class ConfigurationError(KitError):
    """The configuration or a secret cannot be used as it is."""

    exit_code = 2


class RefusedError(KitError):
    """The verb is not allowed in this state: the text says which state and which one is needed."""

    exit_code = 1


class UnavailableError(KitError):
    """Something outside did not answer, or answered with an error that may pass."""

    exit_code = 3
