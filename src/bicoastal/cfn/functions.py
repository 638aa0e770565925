"""CloudFormation's list and text functions, on values that are already evaluated.

Pure: no template, no stack. What cannot be known stays unknown with its reason; a reference passes through untouched.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Callable
from typing import Any

from bicoastal.cfn.values import NO_VALUE, Encoded, Reference, Text, Unknown, Value, pieces, scalar_text, text_of

DYNAMIC = "{{resolve:"
"""Begins a dynamic reference: CloudFormation puts the parameter's or the secret's value in its place."""
_INSIDE_IDS = (":", "/", "-", ".")
_MOST_OPTIONS = 32
_FIELDS = 8
"""An ARN has six fields, its resource up to two more."""


def of_each(unknown: Unknown, function: Callable[[Value], Value]) -> Unknown:
    """What a function makes of something unknown: unknown for the same reason, of each of its options in turn.

    Options of more than `_MOST_OPTIONS` values are dropped: nested, they would multiply without end.
    """
    if not unknown.options:
        return unknown
    if _options_left(_MOST_OPTIONS, unknown) < 0:
        return Unknown(unknown.reason)
    return Unknown(unknown.reason, tuple(function(option) for option in unknown.options))


def _options_left(left: int, value: Value) -> int:
    """How many values may still come after those of `value`; negative where they are too many."""
    if not isinstance(value, Unknown) or not value.options:
        return left - 1
    for option in value.options:
        left = _options_left(left, option)
        if left < 0:
            break
    return left


def join(delimiter: Value, values: Value) -> Value:
    """`Fn::Join`."""
    if isinstance(values, Unknown):
        return of_each(values, lambda option: join(delimiter, option))
    if not isinstance(values, list):
        if isinstance(values, Reference | Text):
            # A list parameter that another stack fills with a single id, or with a text not cut into a list.
            return values
        return Unknown("Fn::Join is given something that is not a list")
    if not isinstance(delimiter, str):
        return Unknown("the delimiter of Fn::Join is not a text")
    parts: list[Value] = []
    for value in values:
        if value is NO_VALUE:
            continue
        if parts:
            parts.append(delimiter)
        parts.append(value)
    return text_of(parts)


def split(delimiter: Value, text: Value) -> Value:
    """`Fn::Split`: the literal parts of a text are cut, its holes stay whole.

    What is cut out of a reference alone (the sixth field of an ARN) still leads to the resource: `Arn:6`. Lists are cut
    at commas, and an id holds none.
    """
    if isinstance(text, Unknown):
        return of_each(text, lambda option: split(delimiter, option))
    if not isinstance(delimiter, str) or not delimiter:
        return Unknown("the delimiter of Fn::Split is not a text")
    if not isinstance(text, str | Text | Reference):
        return Unknown("Fn::Split is given something that is not a text")
    if isinstance(text, Reference) and delimiter in _INSIDE_IDS:
        return [Reference(text.stack, text.resource, f"{text.attribute}{delimiter}{item}") for item in range(_FIELDS)]
    items: list[list[Value]] = [[]]
    for part in pieces(text):
        if not isinstance(part, str):
            items[-1].append(part)
            continue
        first, *rest = part.split(delimiter)
        items[-1].append(first)
        items.extend([piece] for piece in rest)
    return [text_of(item) for item in items]


def select(index: Value, values: Value) -> Value:
    """`Fn::Select`."""
    if isinstance(values, Unknown):
        return of_each(values, lambda option: select(index, option))
    if isinstance(index, Unknown):
        return of_each(index, lambda option: select(option, values))
    if isinstance(values, str | Text):
        values = split(",", values)
    if not isinstance(values, list):
        return Unknown("Fn::Select is given something that is not a list")
    try:
        position = int(index)
    except (TypeError, ValueError):
        return Unknown("the index of Fn::Select is not a number")
    values = [value for value in values if value is not NO_VALUE]
    if not 0 <= position < len(values):
        return Unknown(f"Fn::Select asks for item {position} of a list of {len(values)}")
    return values[position]


def cidr(block: Value, count: Value, bits: Value) -> Value:
    """`Fn::Cidr`: sub-blocks of an IPv4 or IPv6 block."""
    if isinstance(block, Unknown):
        return of_each(block, lambda option: cidr(option, count, bits))
    if not isinstance(block, str):
        return Unknown("Fn::Cidr needs a block that is known")
    try:
        network = ipaddress.ip_network(block)
        wanted, host_bits = int(count), int(bits) if bits is not None else 8
        length = network.max_prefixlen - host_bits
        if not network.prefixlen <= length <= network.max_prefixlen or not 1 <= wanted <= 256:
            return Unknown(f"{block} has no {count} sub-blocks with {bits} host bits each")
        step, start = 1 << host_bits, int(network.network_address)
        if wanted * step > network.num_addresses:
            return Unknown(f"{block} has no {count} sub-blocks with {bits} host bits each")
        return [f"{ipaddress.ip_address(start + step * item)}/{length}" for item in range(wanted)]
    except (TypeError, ValueError):
        return Unknown(f"Fn::Cidr cannot cut {block} into {count} with {bits} host bits")


def zones(region: str) -> list[Value]:
    """`Fn::GetAZs`: three zones, which every region for general use has, told apart by their position."""
    return [Reference("", f"AWS::AvailabilityZone/{region}/{position}") for position in range(3)]


def encode(text: Value) -> Value:
    """`Fn::Base64`: kept in clear with a mark, since what is inside is what a reader wants to judge."""
    if isinstance(text, str | Text | Reference | Unknown):
        return Encoded(text)
    if isinstance(text, bool | int | float | Encoded):
        return Encoded(scalar_text(text))
    return Unknown("Fn::Base64 is given something that is not a text")


def decoded(value: Value) -> Value:
    """The clear text of user data and the like, however it was written: `Fn::Base64`, or base64 by hand."""
    if isinstance(value, Encoded):
        return value.text
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True).decode()
        except ValueError:
            return value
    return value


def length(values: Value) -> Value:
    """`Fn::Length`."""
    if isinstance(values, Unknown):
        return of_each(values, length)
    return len(values) if isinstance(values, list) else Unknown("Fn::Length is given something that is not a list")


def to_json(value: Value) -> Value:
    """`Fn::ToJsonString`, with the holes of texts inside kept as holes."""
    holes: list[Any] = []

    def plain(item: Value) -> Any:
        if isinstance(item, dict):
            return {key: plain(inner) for key, inner in item.items()}
        if isinstance(item, list):
            return [plain(inner) for inner in item]
        if isinstance(item, Text):
            return "".join(part if isinstance(part, str) else _mark(part, holes) for part in item.parts)
        return _mark(item, holes) if isinstance(item, Reference | Unknown | Encoded) else item

    text = json.dumps(plain(value), separators=(",", ":"))
    parts: list[Value] = []
    for position, piece in enumerate(text.split("\\u0000")):
        parts.append(piece if position % 2 == 0 else holes[int(piece)])
    return text_of(parts)


def _mark(item: Any, holes: list[Any]) -> str:
    holes.append(item)
    return f"\0{len(holes) - 1}\0"


def as_list(value: Value) -> Value:
    """What a parameter of a list type holds: its text cut at commas."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",")] if value else []
    if isinstance(value, Unknown):
        return of_each(value, as_list)
    return split(",", value) if isinstance(value, Text | Reference) else value


def same(left: Value, right: Value) -> bool | Unknown:  # noqa: PLR0911 - three values, each for its own reason
    """`Fn::Equals`: whether two values are the same text, as far as that can be known."""
    for side in (left, right):
        if isinstance(side, Unknown):
            return side
        if DYNAMIC in str(side) and left != right:
            return Unknown(f"{side} is looked up when the stack is created")
    if isinstance(left, dict | list) or isinstance(right, dict | list):
        return bool(left == right)
    one, other = (side if isinstance(side, Reference | Text) else scalar_text(side) for side in (left, right))
    if one == other:
        return True
    if isinstance(one, str) and isinstance(other, str):
        return False
    if "" in (one, other):
        return False  # an id, or a text with one in it, is never empty
    return Unknown(f"whether {one} is {other} shows only when the stack is created")
