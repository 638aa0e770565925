"""What `shutdown`, `poweroff`, `reboot` and `halt` ask for, as command lines. Nothing is turned off here."""

from __future__ import annotations

from collections.abc import Sequence

from bicoastal.core.errors import SystemFault
from bicoastal.twin.instances.cloud_config import Power

_BY_DEFAULT_S = 60.0
"""Of `shutdown` without a time."""


def asked(tool: str, arguments: Sequence[str]) -> Power | None:
    """`shutdown -h +5`, `shutdown -r now`, `systemctl reboot`; None takes an earlier one back (`-c`).

    Raises SystemFault for a time that is none.
    """
    flags = {word for word in arguments if word.startswith("-")}
    words = [word for word in arguments if not word.startswith("-")]
    if "-c" in flags:
        return None
    verb = words.pop(0) if tool == "systemctl" and words else tool
    reboots = verb == "reboot" or bool(flags & {"-r", "--reboot"})
    if verb != "shutdown":
        return Power(0.0, reboots)
    if not words:
        return Power(_BY_DEFAULT_S, reboots)
    if words[0] == "now":
        return Power(0.0, reboots)
    if not words[0].lstrip("+").isdigit():
        raise SystemFault(f"Failed to parse time specification: {words[0]}")
    return Power(60.0 * int(words[0].lstrip("+")), reboots)
