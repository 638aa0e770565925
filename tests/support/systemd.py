"""Units as systemd reads them: settings by section, command lines by its quoting rules."""

from __future__ import annotations


def settings(text: str) -> dict[str, list[str]]:
    """`Section.Key` to its values in order. A line that systemd would ignore is an error."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, f"systemd ignores {line!r}"
            found.setdefault(f"{section}.{key}", []).append(value)
    return found


def arguments(line: str) -> list[str]:
    """A command line as systemd splits it: double quotes, backslashes, `%%` and `$$`."""
    words: list[str] = []
    current, quoted, started, position = "", False, False, 0
    while position < len(line):
        letter, following = line[position], line[position + 1 : position + 2]
        if letter == '"':
            quoted, started = not quoted, True
        elif letter == " " and not quoted:
            if started or current:
                words.append(current)
            current, started = "", False
        elif letter == "\\":
            current += {"n": "\n", "t": "\t"}.get(following, following)
            position += 1
        elif letter in "%$":
            assert following == letter, f"systemd would expand {line[position:]!r}"
            current += letter
            position += 1
        else:
            current += letter
        position += 1
    assert not quoted, line
    return [*words, current] if started or current else words
