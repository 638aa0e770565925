"""Intrinsic functions as values, in the long form (`{"Ref": ...}`) that AWS accepts too; the writer shortens them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Value = Any
"""A template value: a scalar, a list, a mapping, an intrinsic, a `Commented` one. JSON has no tighter static type."""

NO_VALUE: Value = {"Ref": "AWS::NoValue"}
REGION: Value = {"Ref": "AWS::Region"}
ACCOUNT: Value = {"Ref": "AWS::AccountId"}
PARTITION: Value = {"Ref": "AWS::Partition"}
STACK_NAME: Value = {"Ref": "AWS::StackName"}


@dataclass(frozen=True)
class Commented:
    """A value that would surprise its reader, with the words that explain it; the writer puts them above the value."""

    value: Value
    text: str


def ref(name: str) -> Value:
    """The value of a parameter or the physical id of a resource."""
    return {"Ref": name}


def att(name: str, attribute: str) -> Value:
    """An attribute of a resource."""
    return {"Fn::GetAtt": [name, attribute]}


def sub(text: str, variables: Mapping[str, Value] | None = None) -> Value:
    """A text with `${...}` filled in."""
    return {"Fn::Sub": [text, dict(variables)] if variables else text}


def join(delimiter: str, values: Sequence[Value] | Value) -> Value:
    """The values in one text."""
    return {"Fn::Join": [delimiter, values]}


def select(index: int, values: Sequence[Value] | Value) -> Value:
    """One of a list, counting from 0."""
    return {"Fn::Select": [index, values]}


def split(delimiter: str, text: Value) -> Value:
    """A text cut into a list."""
    return {"Fn::Split": [delimiter, text]}


def if_(condition: str, yes: Value, no: Value = NO_VALUE) -> Value:
    """One of two values; without the second, the property is absent when the condition does not hold."""
    return {"Fn::If": [condition, yes, no]}


def equals(left: Value, right: Value) -> Value:
    """Whether two values are the same text."""
    return {"Fn::Equals": [left, right]}


def not_(condition: Value) -> Value:
    """The opposite of a condition."""
    return {"Fn::Not": [condition]}


def all_of(*conditions: Value) -> Value:
    """Whether every condition holds (2 to 10 of them)."""
    return {"Fn::And": list(conditions)}


def any_of(*conditions: Value) -> Value:
    """Whether one of the conditions holds (2 to 10 of them)."""
    return {"Fn::Or": list(conditions)}


def condition(name: str) -> Value:
    """A named condition, inside another one."""
    return {"Condition": name}


def base64(value: Value) -> Value:
    """A text in base64, as user data wants it."""
    return {"Fn::Base64": value}


def cidr(block: Value, count: int, bits: int) -> Value:
    """A list of `count` sub-blocks with `bits` host bits each."""
    return {"Fn::Cidr": [block, count, bits]}


def strip_comments(value: Value) -> Value:
    """The value without its `Commented` wrappers: what CloudFormation sees."""
    if isinstance(value, Commented):
        return strip_comments(value.value)
    if isinstance(value, Mapping):
        return {key: strip_comments(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strip_comments(item) for item in value]
    return value
