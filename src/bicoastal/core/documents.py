"""Reads YAML and JSON text into plain values, and remembers where everything stood.

The user's spec and CloudFormation templates are both read here, from libyaml's event stream: PyYAML's own composer
recurses, forgets duplicate keys and is several times slower. It knows nothing of either language: short forms such as
`!Ref` go to the caller's tag hook. Whatever the text, reading ends with findings and never with a traceback: depth,
size and the expansion of aliases are bounded.

Where YAML 1.1 surprises, this reader does what people mean: keys are text as written (`on:` is "on", `123:` is "123"),
dates and base-60 numbers (`21:00`) stay text, and a repeated key is reported, the first one kept.
"""

from __future__ import annotations

import gc
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

from bicoastal.core.errors import InputError
from bicoastal.core.findings import Finding, Location, Position, Severity
from bicoastal.core.scalars import json_surrogates, plain_value
from bicoastal.core.syntax import RULE, character_finding, syntax_finding

MAX_BYTES: Final = 8 * 1024 * 1024
"""CloudFormation takes 1 MB; other people's generated files are larger. Refused by size before anything is read."""
MAX_DEPTH: Final = 100
MAX_ALIASED_NODES: Final = 100_000
"""Nodes that aliases and merge keys may repeat in all: a YAML bomb repeats billions."""

TagHook = Callable[[str, Any], Any]
"""Takes a tag such as `!Ref` and its value, returns what stands for both; a ValueError's text becomes a finding.

A tagged scalar is handed over as the text that was written. Where the result is a new mapping of one key, paths through
that key lead to the tagged value's positions."""


@dataclass(frozen=True)
class Document:
    """What was read. Anything in `findings` is an error; `value` then holds what could be read, or None."""

    file: str
    value: Any
    text: str = field(repr=False)
    findings: tuple[Finding, ...] = ()
    _root: Any = field(default=None, repr=False)

    def position(self, path: Sequence[str | int], *, value: bool = False) -> Position | None:
        """Where the entry at `path` begins: its key (with `value`: its value), or that of its nearest known ancestor.

        None only where nothing was read.
        """
        node, found = self._root, _mark_of(self._root)
        for step in path:
            children = node[1] if type(node) is tuple else None
            if isinstance(children, dict) and step in children:
                key_mark, node = children[step]
                found = _mark_of(node) if value else key_mark
            elif isinstance(children, list) and isinstance(step, int) and -len(children) <= step < len(children):
                node = children[step]
                found = _mark_of(node)
            else:
                break
        return Position(found.line + 1, found.column + 1) if found is not None else None

    def location(self, path: Sequence[str | int], *, value: bool = False) -> Location:
        """The same with file and path, for a finding."""
        return Location(self.file, self.position(path, value=value), tuple(path))

    def written(self, path: Sequence[str | int]) -> str:
        """The unquoted scalar at `path` as it stands in the file (`0042` where the value is 34); else empty."""
        position = self.position(path, value=True)
        if position is None:
            return ""
        line = self.text.split("\n")[position.line - 1].rstrip("\r")
        plain = re.match(r"[^\s'\"\[{&*!|>#,\]}][^#,\]}]*", line[position.column - 1 :])
        return plain.group().strip() if plain else ""

    def checked(self) -> Document:
        """Itself, or InputError with every finding."""
        if self.findings:
            raise InputError(self.findings)
        return self


def read(path: str | Path, *, tag_hook: TagHook | None = None, max_bytes: int = MAX_BYTES) -> Document:
    """Read a file; `parse` says what of its text is reported how.

    InputError where there is nothing to parse: no such file, a folder, a pipe, no permission, too large, not UTF-8.
    """
    file = str(path)
    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            raise _unreadable(file, "this is a folder, not a file", "Name the file in it.")
        if not stat.S_ISREG(status.st_mode):
            raise _unreadable(file, "this is not a regular file", "Name a file on disk: a pipe might never end.")
        if status.st_size > max_bytes:
            raise _too_large(file, status.st_size, max_bytes)
        with Path(path).open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except FileNotFoundError:
        raise _unreadable(file, "no such file", "Check the name.") from None
    except PermissionError:
        raise _unreadable(file, "may not be read by this user", "Give yourself permission to read it.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable(file, f"cannot be read: {reason}", "Check the name and the disk.") from None
    return parse(data, file, tag_hook=tag_hook, max_bytes=max_bytes)


def parse(source: str | bytes, file: str, *, tag_hook: TagHook | None = None, max_bytes: int = MAX_BYTES) -> Document:
    """Read text; what is wrong with it is in `Document.findings`.

    InputError only for more than `max_bytes`, and for bytes that are not UTF-8.
    """
    if len(source) > max_bytes:
        raise _too_large(file, len(source), max_bytes)
    text = _decoded(source, file) if isinstance(source, bytes) else source
    text = text.removeprefix("\ufeff")
    builder = _Builder(file, text, tag_hook)
    with _collector_paused():
        builder.run()
    return Document(file, builder.value, text, tuple(builder.findings), builder.root)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Nothing here makes cycles, and the collector would walk the growing tree again and again: most of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


_KEY: Final = object()
"""Stands for the key of a mapping that has not been read yet."""
_CORE: Final = "tag:yaml.org,2002:"


class _Fatal(Exception):  # noqa: N818 - never leaves this module
    """The rest of the text cannot be read; the finding is already noted."""


class _Frame:
    """A mapping or list that is being read.

    A node of the tree of marks is a mark (of a scalar), or (mark, children) with {key: (key's mark, node)} or [node].
    """

    __slots__ = (
        "anchor",
        "aside",
        "children",
        "height",
        "key",
        "key_mark",
        "mark",
        "merges",
        "size",
        "tag",
        "value",
    )

    def __init__(self, event: Any, value: Any, children: Any) -> None:
        self.value, self.children = value, children
        self.mark, self.tag, self.anchor = event.start_mark, event.tag, event.anchor
        self.key: Any = _KEY
        self.key_mark: Any = None
        self.size = 1
        """Nodes in here, aliases expanded."""
        self.height = 1
        self.merges: list[tuple[Any, Any]] = []
        self.aside = False
        """The key just read is `<<` or was there before: its value is not stored as an entry."""


class _Builder:
    """Turns the event stream into values and marks. One pass, no recursion."""

    def __init__(self, file: str, text: str, tag_hook: TagHook | None) -> None:
        self.file, self.text, self.tag_hook = file, text, tag_hook
        self.value: Any = None
        self.root: Any = None
        self.findings: list[Finding] = []
        self._json = text.lstrip()[:1] in ("{", "[")
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, Any, int, int] | None] = {}
        """Name to value, node, size and height; None while it is being read."""
        self._aliased = 0
        self._plain: dict[str, Any] = {}
        self._documents = 0

    def run(self) -> None:
        """Read everything, or as far as it can be read."""
        try:
            self._events(yaml.CSafeLoader(json_surrogates(self.text) if self._json else self.text))
        except _Fatal:
            pass
        except yaml.MarkedYAMLError as error:
            self.findings.append(syntax_finding(self.file, self.text, error))
        except (ReaderError, UnicodeEncodeError) as error:
            self.findings.append(character_finding(self.file, self.text, error))
        if not self._documents and not self.findings:
            self._report(None, "the file is empty", "Check that it was saved.")

    def _events(self, parser: Any) -> None:  # noqa: PLR0912 - a dispatch on the kind of event, inlined for speed
        """The hot loop: untagged, unanchored scalars, most of any file, are stored here without a further call."""
        next_event, plain, stack = parser.get_event, self._plain, self._stack
        while True:
            event = next_event()
            kind = type(event)
            if kind is ScalarEvent:
                if not stack:
                    self._store(*self._scalar(event))
                    continue
                frame = stack[-1]
                if frame.key is _KEY and type(frame.value) is dict:
                    self._take_key(frame, event)
                    continue
                if event.tag is not None or event.anchor is not None or frame.aside:
                    self._store(*self._scalar(event))
                    continue
                value = event.value
                if event.implicit[0]:
                    value = plain[value] if value in plain else self._resolve(event)
                frame.size += 1
                if type(frame.value) is dict:
                    frame.value[frame.key] = value
                    frame.children[frame.key] = (frame.key_mark, event.start_mark)
                    frame.key = _KEY
                else:
                    frame.value.append(value)
                    frame.children.append(event.start_mark)
            elif kind is MappingStartEvent:
                self._open(_Frame(event, {}, {}))
            elif kind is SequenceStartEvent:
                self._open(_Frame(event, [], []))
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._close()
            elif kind is AliasEvent:
                self._alias(event)
            elif kind is DocumentStartEvent:
                self._document(event)
            elif kind is StreamEndEvent:
                return

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self._report(
                event.start_mark,
                "a second document begins here",
                "Keep one document in a file: remove the line `---` or split the file.",
            )
            raise _Fatal

    def _take_key(self, frame: _Frame, event: Any) -> None:
        key = event.value
        frame.key_mark = event.start_mark
        if key == "<<" and event.implicit[0]:
            key, frame.aside = _MERGE, True
        elif event.tag is not None and event.tag != f"{_CORE}str":
            self._report(event.start_mark, f"a key cannot have a tag ({event.tag})", "Write the key as plain text.")
        if key in frame.value:
            first = frame.children[key][0]
            self._report(
                event.start_mark,
                f"key {key!r} is there twice; the first is on line {first.line + 1}",
                "Remove one of the two.",
            )
            frame.aside = True
        if event.anchor is not None:
            self._anchors[event.anchor] = (event.value, event.start_mark, 1, 1)
        frame.key = key

    def _open(self, frame: _Frame) -> None:
        parent = self._stack[-1] if self._stack else None
        if parent is not None and parent.key is _KEY and type(parent.value) is dict:
            self._report(
                frame.mark, "a key cannot be a list or a mapping", "Write the key as text; put brackets in quotes."
            )
            raise _Fatal
        if len(self._stack) >= MAX_DEPTH:
            self._too_deep(frame.mark)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = None
        self._stack.append(frame)

    def _close(self) -> None:
        frame = self._stack.pop()
        value, children = frame.value, frame.children
        if frame.merges:
            value, children = self._merged(frame)
        node: Any = (frame.mark, children)
        if frame.tag is not None:
            value, node = self._tagged(frame.tag, value, node, frame.mark)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (value, node, frame.size, frame.height)
        self._store(value, node, frame.size, frame.height)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            self._report(
                event.start_mark,
                f"*{event.anchor} has no anchor above it",
                f"Write &{event.anchor} before the value it repeats.",
            )
            self._store(None, event.start_mark)
            return
        known = self._anchors[event.anchor]
        if known is None:
            self._report(
                event.start_mark, f"*{event.anchor} stands inside the value it repeats", "Write the value out."
            )
            raise _Fatal
        value, node, size, height = known
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.key is _KEY and type(frame.value) is dict:
            self._report(event.start_mark, "a key cannot be an alias", "Write the key as plain text.")
            raise _Fatal
        self._count(size, event.start_mark)
        if len(self._stack) + height > MAX_DEPTH:
            self._too_deep(event.start_mark)
        self._store(value, node if type(node) is tuple else event.start_mark, size, height)

    def _store(self, value: Any, node: Any, size: int = 1, height: int = 1) -> None:
        """Put a finished value where it belongs."""
        if not self._stack:
            self.value, self.root = value, node
            return
        frame = self._stack[-1]
        frame.size += size
        frame.height = max(frame.height, height + 1)
        if type(frame.value) is not dict:
            frame.value.append(value)
            frame.children.append(node)
            return
        if frame.key is _MERGE:
            frame.merges.append((value, node))
        elif not frame.aside:
            frame.value[frame.key] = value
            frame.children[frame.key] = (frame.key_mark, node)
        frame.key, frame.aside = _KEY, False

    def _merged(self, frame: _Frame) -> tuple[dict[str, Any], dict[str, Any]]:
        """The mapping with what its merge keys bring; its own entries win, then the merge that stands first."""
        value: dict[str, Any] = {}
        children: dict[str, Any] = {}
        sources = [pair for source, node in frame.merges for pair in _merge_sources(source, node)]
        for source, node in sources:
            if not isinstance(source, dict) or not isinstance(node[1] if type(node) is tuple else None, dict):
                self._report(frame.mark, "`<<` takes a mapping or a list of mappings", "Write `<<: *defaults`.")
                continue
            self._count(len(source), frame.mark)
            for key, item in source.items():
                if key not in value and key not in frame.value:
                    value[key] = item
                    if key in node[1]:
                        children[key] = node[1][key]
        return {**value, **frame.value}, {**children, **frame.children}

    def _scalar(self, event: Any) -> tuple[Any, Any]:
        value: Any = event.value
        node = event.start_mark
        if event.tag is not None:
            value, node = self._tagged(event.tag, value, node, node)
        elif event.implicit[0]:
            value = self._resolve(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, node, 1, 1)
        return value, node

    def _tagged(self, tag: str, value: Any, node: Any, mark: Any) -> tuple[Any, Any]:
        if tag.startswith(_CORE) or tag == "!":
            return self._core_tagged(tag, value, mark), node
        if self.tag_hook is None:
            self._report(mark, f"the tag {tag} means nothing here", "Remove it, or put the text in quotes.")
            return value, node
        try:
            result = self.tag_hook(tag, value)
        except ValueError as error:
            self._report(mark, str(error), "")
            return value, node
        if isinstance(result, dict) and len(result) == 1 and result is not value:
            return result, (mark, {next(iter(result)): (mark, node)})
        return result, node

    def _core_tagged(self, tag: str, value: Any, mark: Any) -> Any:
        """A value with one of YAML's own tags, such as `!!str 42`."""
        name = tag.removeprefix(_CORE)
        if (name in ("str", "!") and isinstance(value, str)) or (name, type(value)) in (("map", dict), ("seq", list)):
            return value
        if isinstance(value, str) and name in ("int", "float", "bool", "null"):
            resolved = plain_value(value, as_json=self._json)
            if name == "float" and type(resolved) is int:
                return float(resolved)
            if type(resolved).__name__ == name or (name == "null" and resolved is None):
                return resolved
        self._report(mark, f"the tag !!{name} cannot be used with this value", "Remove the tag.")
        return value

    def _resolve(self, event: Any) -> Any:
        try:
            value = plain_value(event.value, as_json=self._json)
        except ValueError:
            self._report(event.start_mark, "this number is too long", "Put it in quotes if it is meant as text.")
            value = None
        self._plain[event.value] = value
        return value

    def _count(self, nodes: int, mark: Any) -> None:
        self._aliased += nodes
        if self._aliased > MAX_ALIASED_NODES:
            self._report(
                mark,
                f"aliases repeat more than {MAX_ALIASED_NODES:,} values up to here",
                "Write the values out; a file that grows like this was made to use up memory.",
            )
            raise _Fatal

    def _too_deep(self, mark: Any) -> None:
        self._report(mark, f"more than {MAX_DEPTH} levels deep", "Nest less: no spec or template needs as much.")
        raise _Fatal

    def _report(self, mark: Any, title: str, remedy: str) -> None:
        position = Position(mark.line + 1, mark.column + 1) if mark is not None else None
        self.findings.append(_finding(Location(self.file, position), title, remedy))


_MERGE: Final = object()
"""Stands for the key `<<`."""


def _merge_sources(source: Any, node: Any) -> list[tuple[Any, Any]]:
    if isinstance(source, list) and type(node) is tuple and isinstance(node[1], list):
        return list(zip(source, node[1], strict=True))
    return [(source, node)]


def _mark_of(node: Any) -> Any:
    return node[0] if type(node) is tuple else node


def _decoded(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        title = f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start:,}"
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            title = "this file is UTF-16, not UTF-8"
        location = Location(file, Position(line, column))
        raise InputError([_finding(location, title, "Save the file as UTF-8 in your editor.")]) from None


def _too_large(file: str, size: int, limit: int) -> InputError:
    mib = 1024 * 1024
    title = f"{size / mib:,.1f} MiB is too large to be read here; the limit is {limit / mib:,.1f} MiB"
    return _unreadable(file, title, "Check that this is the file you meant.")


def _unreadable(file: str, title: str, remedy: str) -> InputError:
    return InputError([_finding(Location(file), title, remedy)])


def _finding(location: Location, title: str, remedy: str) -> Finding:
    return Finding(RULE, Severity.ERROR, title, location, remedy=remedy)
