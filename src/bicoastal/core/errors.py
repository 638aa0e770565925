"""The exceptions that a command ends with, split by what the caller should do.

    BicoastalError
    ├── InputError      fix the input, then run again        exit 2
    ├── Refused         the answer is no; said with reasons  exit 1
    └── SystemFault     AWS or this machine failed; retry    exit 3

Nobody prints a traceback for these: the command line prints `str(error)`, which says where, what, and the next move.
"""

from __future__ import annotations

from collections.abc import Sequence

from bicoastal.core.findings import Finding


class BicoastalError(Exception):
    """Anything that a command may end with."""

    exit_code = 3


class InputError(BicoastalError):
    """What the user gave cannot be used. `findings` holds every problem that was seen, not only the first."""

    exit_code = 2

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class Refused(BicoastalError):  # noqa: N818 - a refusal is an answer, not an error
    """The answer is no: the message carries the reasons."""

    exit_code = 1


class SystemFault(BicoastalError):  # noqa: N818 - the field says fault for what is not the caller's error
    """AWS or this machine did not do its part; the message says what was tried and what to do."""

    exit_code = 3
