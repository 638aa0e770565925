"""The AWS CLI as far as instances need it: any operation of any service by botocore's models, and `s3 cp`.

A command line becomes a call with the rights of the instance's role; what is printed, and the exit codes, are the
CLI's: 0, 252 for a command line that cannot be read, 253 for no credentials, 254 for an error of the service, 255 for
all else. Files are read and written by the program on the instance (`Files`), never by us.
"""

from __future__ import annotations

import base64
import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bicoastal.aws.session import Session
from bicoastal.core.errors import SystemFault

UNREADABLE, NO_CREDENTIALS, SERVICE_ERROR, FAILED = 252, 253, 254, 255
_USAGE = "usage: aws [options] <command> <subcommand> [parameters]"
_OPTIONS = ("region", "output", "query", "endpoint-url", "profile", "cli-connect-timeout", "cli-read-timeout", "color")
_FLAGS = ("no-cli-pager", "no-paginate", "no-verify-ssl", "debug", "no-sign-request")
_ALIASES = {"s3api": "s3"}
_PART = 1 << 16


class Files(Protocol):
    """Files on the instance, read and written with its programs' rights. Both raise OSError with what went wrong."""

    def read(self, path: str) -> bytes:
        """The whole; `-` is standard input."""

    def write(self, path: str, chunks: Iterator[bytes]) -> None:
        """Make it of these; `-` is standard output."""


class CommandError(Exception):
    """Ends a command."""

    def __init__(self, code: int, text: str) -> None:
        """Exit code, and what is said on standard error."""
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Said:
    """What a command prints, and how it ends."""

    code: int
    output: str = ""
    errors: str = ""


@dataclass(frozen=True)
class Place:
    """For whom a command runs."""

    region: str
    """Where its calls go unless the command line says otherwise."""
    session: Callable[[], Session]
    """Raises SystemFault where there are no credentials."""
    reach: Callable[[str, str], None]
    """Service (its endpoint's name) and region: returns when a connection may be. Raises CommandError after a time."""


@dataclass
class _Line:
    """A command line, sorted."""

    words: list[str] = field(default_factory=list)
    options: dict[str, list[str]] = field(default_factory=dict)

    def one(self, name: str, default: str = "") -> str:
        return (self.options.get(name) or [default])[-1]


def run(arguments: Sequence[str], place: Place, files: Files) -> Said:  # noqa: PLR0911 - an exit code each
    """Run one command to its end."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415 - it is large

    line = _sorted(arguments)
    try:
        if line.words[:1] == ["s3"]:
            return _s3(line, place, files)
        return _operation(line, place, files)
    except CommandError as error:
        return Said(error.code, "", f"\n{error}\n")
    except NoCredentialsError:
        return Said(
            NO_CREDENTIALS,
            "",
            '\nUnable to locate credentials. You can configure credentials by running "aws configure".\n',
        )
    except ClientError as error:
        return Said(SERVICE_ERROR, "", f"\n{error}\n")
    except BotoCoreError as error:
        return Said(UNREADABLE if type(error).__name__ == "ParamValidationError" else FAILED, "", f"\n{error}\n")
    except OSError as error:
        return Said(FAILED, "", f"\n{error}\n")


def _sorted(arguments: Sequence[str]) -> _Line:
    line = _Line()
    current: list[str] | None = None
    for word in arguments:
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            current = line.options.setdefault(name, [])
            if equals:
                current.append(value)
            if equals or name in _FLAGS or name in ("only-show-errors", "quiet", "no-progress"):
                current = None
        elif current is None or (len(line.words) < 2 and current):
            line.words.append(word)
        else:
            current.append(word)
            if any(current is line.options.get(name) for name in _OPTIONS):
                current = None
    return line


# Operations.


def _operation(line: _Line, place: Place, files: Files) -> Said:
    if len(line.words) < 2:
        raise CommandError(UNREADABLE, f"{_USAGE}\naws: error: the following arguments are required: command")
    if len(line.words) > 2:
        raise CommandError(UNREADABLE, f"{_USAGE}\naws: [ERROR]: Unknown options: {' '.join(line.words[2:])}")
    service, name = _ALIASES.get(line.words[0], line.words[0]), line.words[1]
    client = _client(place, service, line)
    method = name.replace("-", "_")
    operation = client.meta.method_to_api_mapping.get(method)
    if operation is None:
        raise CommandError(UNREADABLE, f"{_USAGE}\naws: [ERROR]: argument operation: Invalid choice: '{name}'")
    shape = client.meta.service_model.operation_model(operation).input_shape
    given = {key: value for key, value in line.options.items() if key not in (*_OPTIONS, *_FLAGS)}
    parameters = _parameters(shape, given, files)
    place.reach(client.meta.service_model.endpoint_prefix, client.meta.region_name)
    answer = getattr(client, method)(**parameters)
    answer.pop("ResponseMetadata", None)
    return Said(0, _printed(answer, line))


def _client(place: Place, service: str, line: _Line) -> Any:
    from botocore.exceptions import UnknownServiceError  # noqa: PLC0415

    try:
        session = place.session()
    except SystemFault as error:
        text = 'Unable to locate credentials. You can configure credentials by running "aws configure".'
        raise CommandError(NO_CREDENTIALS, text) from error
    try:
        return session.client(service, line.one("region", place.region))
    except SystemFault as error:
        if not isinstance(error.__cause__, UnknownServiceError):
            raise CommandError(FAILED, str(error)) from error
        text = f"{_USAGE}\naws: [ERROR]: argument command: Invalid choice: '{service}'"
        raise CommandError(UNREADABLE, text) from error


def _parameters(shape: Any, given: Mapping[str, list[str]], files: Files) -> dict[str, Any]:
    from botocore import xform_name  # noqa: PLC0415

    members = {xform_name(name, "-"): (name, member) for name, member in shape.members.items()} if shape else {}
    found: dict[str, Any] = {}
    for key, values in given.items():
        if key == "cli-input-json":
            found |= json.loads(_content(values[-1], files))
            continue
        name, member = members.get(key) or members.get(key.removeprefix("no-"), (None, None))
        if name is None or member is None:
            raise CommandError(UNREADABLE, f"{_USAGE}\naws: [ERROR]: Unknown options: --{key}")
        if member.type_name == "boolean" and not values:
            found[name] = key in members
            continue
        if not values:
            raise CommandError(UNREADABLE, f"{_USAGE}\naws: [ERROR]: argument --{key}: expected one argument")
        try:
            found[name] = _value(member, [_content(value, files) for value in values])
        except (ValueError, KeyError) as error:
            raise CommandError(UNREADABLE, f"Error parsing parameter '--{key}': {error}") from error
    return found


def _content(value: str, files: Files) -> str:
    """A value, or that of the file that it names."""
    for prefix in ("file://", "fileb://"):
        if value.startswith(prefix):
            data = files.read(value.removeprefix(prefix))
            return base64.b64encode(data).decode() if prefix == "fileb://" else data.decode()
    return value


def _value(shape: Any, values: list[str]) -> Any:  # noqa: PLR0911 - a case for each type
    """What the model wants, of words: plain, as JSON, or in the CLI's shorthand (`Key=a,Value=b`)."""
    kind, first = shape.type_name, values[0]
    if kind in ("list", "structure", "map") and first[:1] in "[{" and first[:1]:
        found = json.loads(" ".join(values))
        return [found] if kind == "list" and not isinstance(found, list) else found
    if kind == "list":
        words = values if len(values) > 1 or shape.member.type_name not in ("string", "integer") else first.split(",")
        return [_value(shape.member, [word]) for word in words]
    if kind in ("structure", "map"):
        return _shorthand(shape, first)
    if kind in ("integer", "long"):
        return int(first)
    if kind in ("float", "double"):
        return float(first)
    if kind == "boolean":
        return first.lower() == "true"
    if kind == "blob":
        return base64.b64decode(first)
    return first


def _shorthand(shape: Any, text: str) -> dict[str, Any]:
    pairs: dict[str, list[str]] = {}
    name = ""
    for part in re.split(r",(?![^\[]*\])", text):
        key, equals, value = part.partition("=")
        if equals:
            name = key
            pairs[name] = value.strip("[]").split(",") if value.startswith("[") else [value]
        elif name:
            pairs[name].append(part)
        else:
            raise ValueError(f"expected '=' in {text!r}")
    if shape.type_name == "map":
        return {key: _value(shape.value, values) for key, values in pairs.items()}
    return {key: _value(shape.members[key], values) for key, values in pairs.items()}


def _printed(answer: Any, line: _Line) -> str:
    plain = _plain(answer)
    if query := line.one("query"):
        import jmespath  # type: ignore[import-untyped]  # noqa: PLC0415 - few ask for it

        plain = jmespath.search(query, plain)
    if plain in (None, {}) and not query:
        return ""
    if line.one("output", "json") == "text":
        return "".join(f"{row}\n" for row in _rows(plain))
    return json.dumps(plain, indent=4, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.read().decode("utf-8", "replace") if hasattr(value, "read") else value


def _rows(value: Any) -> Iterator[str]:
    """As `--output text`: values by tabs, a row for each item."""
    if isinstance(value, dict):
        yield "\t".join(str(value[name]) for name in sorted(value) if not isinstance(value[name], dict | list))
        for name in sorted(value):
            if isinstance(value[name], dict | list):
                yield from (f"{name.upper()}\t{row}" for row in _rows(value[name]))
    elif isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        yield "\t".join(str(item) for item in value)
    elif isinstance(value, list):
        for item in value:
            yield from _rows(item)
    else:
        yield str(value)


# s3 cp.


def _s3(line: _Line, place: Place, files: Files) -> Said:
    verb = line.words[1] if len(line.words) > 1 else ""
    # An option's value, as in `--only-show-errors` before a path, is none: it takes nothing.
    ends = [*line.words[2:], *(word for name in ("recursive",) for word in line.options.get(name, []))]
    if verb != "cp" or len(ends) != 2 or "recursive" in line.options:
        raise CommandError(
            UNREADABLE, f"aws s3 {verb}: only `aws s3 cp SOURCE TARGET`, one object, is on this instance"
        )
    quiet = "only-show-errors" in line.options or "quiet" in line.options
    source, target = ends
    client = _client(place, "s3", line)
    place.reach("s3", client.meta.region_name)
    what = f"{source} to {target}"
    try:
        if source.startswith("s3://") and not target.startswith("s3://"):
            _download(client, source, target, files)
            return Said(0, "" if quiet or target == "-" else f"download: {what}\n")
        if target.startswith("s3://") and not source.startswith("s3://"):
            bucket, key = _object(target, source)
            client.put_object(Bucket=bucket, Key=key, Body=files.read(source))
            return Said(0, "" if quiet else f"upload: {what}\n")
        bucket, key = _object(target, source)
        from_bucket, from_key = _object(source, "")
        client.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": from_bucket, "Key": from_key})
        return Said(0, "" if quiet else f"copy: {what}\n")
    except OSError as error:
        return Said(1, "", f"{_verb(source)} failed: {what} {error}\n")
    except Exception as error:
        if type(error).__module__ != "botocore.exceptions" and not hasattr(error, "response"):
            raise
        # The CLI's own exit code for a transfer that failed.
        return Said(
            1,
            "",
            f"fatal error: {error}\n" if "HeadObject" in str(error) else f"{_verb(source)} failed: {what} {error}\n",
        )


def _verb(source: str) -> str:
    return "download" if source.startswith("s3://") else "upload"


def _download(client: Any, source: str, target: str, files: Files) -> None:
    bucket, key = _object(source, "")
    if target.endswith("/"):
        target += key.rpartition("/")[2]
    body = client.get_object(Bucket=bucket, Key=key)["Body"]
    try:
        files.write(target, body.iter_chunks(_PART))
    finally:
        body.close()


def _object(place: str, source: str) -> tuple[str, str]:
    bucket, _, key = place.removeprefix("s3://").partition("/")
    if not key or key.endswith("/"):
        key += source.rpartition("/")[2]
    return bucket, key
