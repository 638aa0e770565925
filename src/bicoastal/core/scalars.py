"""What an unquoted scalar means, by YAML 1.1 as CloudFormation's users write it, and by JSON."""

from __future__ import annotations

import re
from typing import Any, Final

_FIRST: Final = frozenset("-+.0123456789~nNyYtTfFoO")
"""What an unquoted scalar begins with if it may be anything but text."""
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{form(word): True for word in ("yes", "true", "on") for form in (str.lower, str.title, str.upper)},
    **{form(word): False for word in ("no", "false", "off") for form in (str.lower, str.title, str.upper)},
}
_INTEGER: Final = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)")
_FLOAT: Final = re.compile(r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?")
_JSON_FLOAT: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_SPECIAL: Final = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def plain_value(text: str, *, as_json: bool) -> Any:
    """An unquoted scalar by YAML 1.1's rules, less base 60 and dates. ValueError: an integer of thousands of digits."""
    if text and text[0] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text.replace("_", ""))
    if _FLOAT.fullmatch(text) or (as_json and _JSON_FLOAT.fullmatch(text)):
        return float(text.replace("_", ""))
    if special := _SPECIAL.fullmatch(text):
        return float(special.group(1) + "inf") if special.group(2) else float("nan")
    return text


def _integer(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    base = 2 if digits.startswith("0b") else 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10
    return sign * int(digits[2:] if base in (2, 16) else digits, base)


def json_surrogates(text: str) -> str:
    r"""JSON writes an emoji as two escapes, `\ud83d\ude00`; libyaml takes only `\U0001f600`."""

    def joined(match: re.Match[str]) -> str:
        high, low = int(match.group(2), 16), int(match.group(3), 16)
        return f"{match.group(1)}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"

    if "\\u" not in text:
        return text
    return re.sub(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})", joined, text)
