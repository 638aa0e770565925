"""Writes a template as YAML for people: keys in the order given, short intrinsic forms, comments where they were put.

PyYAML can write neither comments nor short forms with nested values, and takes ten times as long; reading stays with
PyYAML, and a test reads back everything that is written here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from bicoastal.cfn.intrinsics import Commented, Value

_WIDTH = 118
_SECTIONS = ("Parameters", "Mappings", "Conditions", "Resources", "Outputs", "Rules")
_PLAIN = re.compile(r"^[A-Za-z_/$.][A-Za-z0-9_/$.+()=*@<>^;-]*( [A-Za-z0-9_/$.+()=*@<>^;&-]+)*$")
_PLAIN_COLONS = re.compile(r"^[A-Za-z][A-Za-z0-9_/.*${}-]*(:+[A-Za-z0-9_/.*-]+)+$")
_NOT_A_STRING = re.compile(
    r"^(y|n|yes|no|true|false|on|off|null|~|\.inf|\.nan|[-+]?[.\d][\d_.eExXoO:+-]*|=|<<)$", re.IGNORECASE
)


def to_yaml(document: Mapping[str, Value], *, header: str = "") -> str:
    """The document as YAML text; `header` becomes the comment on top."""
    lines = [*_comment(header, 0)]
    for key, value in document.items():
        if lines and isinstance(value, Mapping):
            lines.append("")
        if key in _SECTIONS and isinstance(value, Mapping) and value:
            lines.append(f"{key}:")
            for position, (name, item) in enumerate(value.items()):
                if position and key == "Resources":
                    lines.append("")
                lines.extend(_entry(name, item, 2))
        else:
            lines.extend(_entry(key, value, 0))
    return "\n".join(lines) + "\n"


def _entry(key: str, value: Value, indent: int) -> Iterator[str]:
    """`key: value`, with the value's comment above it."""
    while isinstance(value, Commented):
        yield from _comment(value.text, indent)
        value = value.value
    head, body = _node(value, indent)
    yield f"{' ' * indent}{_scalar(key)}:{' ' + head if head else ''}"
    yield from body


def _node(value: Value, indent: int) -> tuple[str, Iterator[str]]:
    """What stands on the key's line, and the lines below it, for a value whose key is indented by `indent`."""
    if isinstance(value, Mapping):
        short = _short_form(value)
        if short is not None:
            return _intrinsic(*short, indent)
        if not value:
            return "{}", iter(())
        flow = _flow(value, indent)
        return (flow, iter(())) if flow else ("", _mapping(value, indent + 2))
    if isinstance(value, list | tuple):
        return ("", _sequence(value, indent + 2)) if value else ("[]", iter(()))
    if isinstance(value, str) and _fits_block(value):
        return _block(value, indent + 2)
    return _scalar(value), iter(())


def _mapping(value: Mapping[str, Value], indent: int) -> Iterator[str]:
    for key, item in value.items():
        yield from _entry(key, item, indent)


def _sequence(values: Sequence[Value], indent: int) -> Iterator[str]:
    pad = " " * indent
    for item in values:
        while isinstance(item, Commented):
            yield from _comment(item.text, indent)
            item = item.value  # noqa: PLW2901 - the comment is written, the value goes on
        if isinstance(item, list | tuple) and (flow := _flow_sequence(item, indent)):
            yield f"{pad}- {flow}"
            continue
        head, body = _node(item, indent)
        if head:
            yield f"{pad}- {head}"
            yield from body
        else:
            first = True
            for line in body:
                yield f"{pad}- {line[indent + 2 :]}" if first and not line.lstrip().startswith("#") else line
                first = first and line.lstrip().startswith("#")


def _short_form(value: Mapping[str, Value]) -> tuple[str, Value] | None:
    if len(value) != 1:
        return None
    key, argument = next(iter(value.items()))
    if key == "Ref":
        return "!Ref", argument
    if key == "Condition" and isinstance(argument, str):
        return "!Condition", argument
    if key.startswith("Fn::") and not key.startswith("Fn::ForEach"):
        return f"!{key[4:]}", argument
    return None


def _intrinsic(tag: str, argument: Value, indent: int) -> tuple[str, Iterator[str]]:
    if tag == "!GetAtt":
        return f"{tag} {'.'.join(argument)}", iter(())
    if isinstance(argument, Mapping) and (inner := _short_form(argument)):
        # YAML takes one tag a node: the outer function stands in its long form.
        head, body = _intrinsic(*inner, indent + 2)
        return "", iter([f"{' ' * (indent + 2)}Fn::{tag[1:]}: {head}", *body])
    if isinstance(argument, list | tuple) and (flow := _flow_sequence(argument, indent)):
        return f"{tag} {flow}", iter(())
    head, body = _node(argument, indent)
    return f"{tag} {head}".rstrip(), body


def _flow(value: Mapping[str, Value], indent: int) -> str:
    """A tag or a dimension on one line; anything else is easier to read on several."""
    if not {"Key", "Value"} <= set(value) <= {"Key", "Value", "PropagateAtLaunch"} and set(value) != {"Name", "Value"}:
        return ""
    parts = [(key, _flow_item(item)) for key, item in value.items()]
    text = "{" + ", ".join(f"{key}: {item}" for key, item in parts) + "}"
    return text if all(item for _, item in parts) and len(text) + indent <= _WIDTH else ""


def _flow_sequence(values: Sequence[Value], indent: int) -> str:
    items = [_flow_item(item) for item in values]
    text = "[" + ", ".join(items) + "]"
    return text if all(items) and len(text) + indent <= _WIDTH - 40 else ""


def _flow_item(item: Value) -> str:
    if isinstance(item, Mapping):
        short = _short_form(item)
        if short and isinstance(short[1], str) and "\n" not in short[1]:
            return f"{short[0]} {_scalar(short[1], flow=True)}"
        return f"!GetAtt {'.'.join(short[1])}" if short and short[0] == "!GetAtt" else ""
    if isinstance(item, list | tuple | Commented):
        return ""
    return _scalar(item, flow=True)


def _fits_block(text: str) -> bool:
    """Whether a block says the text exactly: printable lines, the first not indented, none ending in a space."""
    lines = text.split("\n")
    return (
        len(lines) > 1
        and lines[0] != ""
        and not lines[0].startswith(" ")
        and all(line.isprintable() and not line.endswith(" ") for line in lines)
    )


def _block(text: str, indent: int) -> tuple[str, Iterator[str]]:
    pad = " " * indent
    chomp = "" if text.endswith("\n") and not text.endswith("\n\n") else "+" if text.endswith("\n") else "-"
    lines = text[:-1].split("\n") if text.endswith("\n") else text.split("\n")
    return f"|{chomp}", (f"{pad}{line}" if line else "" for line in lines)


def _scalar(value: Value, *, flow: bool = False) -> str:
    if isinstance(value, float):
        # YAML 1.1 knows a float by its dot: 5e-324 would be read as text.
        mantissa, e, exponent = repr(value).partition("e")
        return mantissa + (".0" if e and "." not in mantissa else "") + e + exponent
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and not _NOT_A_STRING.fullmatch(text):
        return text
    if not flow and _PLAIN_COLONS.fullmatch(text):
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    """A double-quoted scalar: JSON's, with what YAML does not take in plain sight as eight-digit escapes."""
    quoted = json.dumps(text, ensure_ascii=False)
    if quoted.isprintable():
        return quoted
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08X}" for letter in quoted)


def _comment(text: str, indent: int) -> Iterator[str]:
    pad = " " * indent
    for line in text.splitlines():
        for part in wrap(line, _WIDTH - indent - 2) or [""]:
            yield f"{pad}# {part}".rstrip()
