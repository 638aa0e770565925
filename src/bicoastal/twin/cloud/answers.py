"""AWS's wire forms, as far as the twin writes and reads them itself: query parameters, XML and JSON answers.

It knows no service and no resource.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

Json = Any
Answer = tuple[int, dict[str, str], bytes]

_CODE = re.compile(rb"<Code>([^<]*)</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")


class ServiceError(ValueError):
    """A service's answer that is an error."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        """As AWS gives it."""
        super().__init__(f"{message} (Service error code: {code})")
        self.code = code
        self.message = message
        self.status = status


def flatten(parameters: Mapping[str, Json], member: str) -> dict[str, str]:
    """Parameters as the query protocol sends them; `member` stands between a list and its indexes, or nothing does."""
    return dict(_flat("", parameters, member))


def _flat(at: str, value: Json, member: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(f"{at}.{name}" if at else name, item, member)
    elif isinstance(value, list):
        for index, item in enumerate(value, 1):
            yield from _flat(f"{at}.{member}.{index}" if member else f"{at}.{index}", item, member)
    elif isinstance(value, bool):
        yield at, str(value).lower()
    elif value is not None:
        yield at, str(value)


def unflatten(parameters: Mapping[str, Json]) -> dict[str, Json]:
    """Query parameters as a document: `Tag.1.Key` becomes `{"Tag": [{"Key": ...}]}`; the names of list wrappers go."""
    root: dict[str, Json] = {}
    for name, value in parameters.items():
        found = value[0] if isinstance(value, list) else value
        at = root
        steps = name.split(".")
        for step in steps[:-1]:
            at = at.setdefault(step, {})
        at[steps[-1]] = found
    return {name: _lists(value) for name, value in root.items()}


def _lists(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    if value and all(name.isdigit() for name in value):
        return [_lists(value[name]) for name in sorted(value, key=int)]
    if len(value) == 1:
        (only,) = value.values()
        if isinstance(only, dict) and only and all(name.isdigit() for name in only):
            (name,) = value
            # `Filters.Filter.1`, `Tags.member.1`: the list's own name is the outer one.
            if name[0].islower() or name in ("Filter", "Tag", "Value", "SourceId", "EventCategory"):
                return _lists(only)
    return {name: _lists(item) for name, item in value.items()}


def refuse(status: int, body: bytes) -> None:
    """Raise ServiceError for an XML answer that is one."""
    if status >= 400:
        code, message = _CODE.search(body), _MESSAGE.search(body)
        raise ServiceError(
            code[1].decode() if code else str(status),
            message[1].decode() if message else body.decode(errors="replace")[:300],
            status,
        )


def read_json(status: int, headers: Mapping[str, str], body: bytes) -> Json:
    """The document of a JSON answer. Raises ServiceError for one that is an error."""
    data = json.loads(body) if body else {}
    if status >= 400:
        code = str(data.get("__type") or headers.get("x-amzn-errortype") or status).rpartition("#")[2]
        raise ServiceError(code, str(data.get("message") or data.get("Message") or ""), status)
    return data


def json_answer(data: Json, status: int = 200) -> Answer:
    """A JSON answer."""
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(data).encode()


def json_error(error: ServiceError) -> Answer:
    """An error as JSON services give it."""
    body = json.dumps({"__type": error.code, "message": error.message, "Message": error.message}).encode()
    return error.status, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": error.code}, body


def ec2_answer(action: str, data: Mapping[str, Json]) -> Answer:
    """An answer as EC2 gives it: lists hold `item`s."""
    namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"
    body = f'<{action}Response xmlns="{namespace}"><requestId>{uuid.uuid4()}</requestId>{xml(data)}</{action}Response>'
    return 200, {"Content-Type": "text/xml"}, body.encode()


def ec2_error(error: ServiceError) -> Answer:
    """An error as EC2 gives it."""
    inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    body = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{uuid.uuid4()}</RequestID></Response>"
    return error.status, {"Content-Type": "text/xml"}, body.encode()


def query_answer(action: str, namespace: str, data: Mapping[str, Json]) -> Answer:
    """An answer of the query protocol: a result, and the id of the request."""
    body = (
        f'<{action}Response xmlns="{namespace}"><{action}Result>{xml(data)}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></{action}Response>"
    )
    return 200, {"Content-Type": "text/xml"}, body.encode()


def query_error(error: ServiceError, namespace: str) -> Answer:
    """An error of the query protocol."""
    body = (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>Sender</Type><Code>{escape(error.code)}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )
    return error.status, {"Content-Type": "text/xml"}, body.encode()


def xml(data: Mapping[str, Json]) -> str:
    """Elements by name; a list is a wrapper of `item`s, or of what a one-entry mapping around it names."""
    return "".join(_element(name, value) for name, value in data.items() if value is not None)


def _element(name: str, value: Json) -> str:
    if isinstance(value, Repeated):
        return "".join(_element(name, item) for item in value.items)
    if isinstance(value, Mapping):
        inner = xml(value)
    elif isinstance(value, Items):
        inner = "".join(_element(value.name, item) for item in value.items)
    elif isinstance(value, list):
        inner = "".join(_element("item", item) for item in value)
    elif isinstance(value, bool):
        inner = str(value).lower()
    else:
        inner = value if isinstance(value, Raw) else escape(str(value))
    return f"<{name}>{inner}</{name}>"


class Items:
    """A list whose elements have a name of their own."""

    def __init__(self, name: str, items: list[Json]) -> None:
        self.name = name
        self.items = items


class Repeated:
    """A list without a wrapper: the element stands there once for each item, as S3 writes lists."""

    def __init__(self, items: list[Json]) -> None:
        self.items = items


class Raw(str):
    """XML that is written already."""

    __slots__ = ()
