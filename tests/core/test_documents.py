"""The reader takes any text: values and places for what is right, findings for what is not, never a traceback."""

from __future__ import annotations

import json
import os
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bicoastal.core.documents import MAX_ALIASED_NODES, MAX_DEPTH, parse, read
from bicoastal.core.errors import InputError
from bicoastal.core.findings import Position


def messages(text: str | bytes) -> list[str]:
    try:
        return [str(finding) for finding in parse(text, "f.yaml").findings]
    except InputError as error:
        return [str(finding) for finding in error.findings]


def test_values_are_plain_and_every_place_is_known() -> None:
    text = "name: orders\nregions:\n  - role: home\n    cidr: 10.0.0.0/16\n  - {role: standby}\n"
    document = parse(text, "spec.yaml").checked()
    assert document.value == {
        "name": "orders",
        "regions": [{"role": "home", "cidr": "10.0.0.0/16"}, {"role": "standby"}],
    }
    assert document.position(()) == Position(1, 1)
    assert document.position(("regions", 0, "cidr")) == Position(4, 5)
    assert document.position(("regions", 0, "cidr"), value=True) == Position(4, 11)
    assert document.position(("regions", 1)) == Position(5, 5)
    assert document.position(("regions", 1, "role"), value=True) == Position(5, 12)


def test_an_unknown_path_leads_to_its_nearest_known_ancestor() -> None:
    document = parse("a:\n  b: [1, 2]\n", "f.yaml")
    assert document.position(("a", "nothing", "here")) == Position(1, 1)
    assert document.position(("a", "b", 7)) == Position(2, 3)
    assert document.position(("a", "b", 1, "deeper")) == Position(2, 10)
    assert document.position(("a", "b", "1")) == Position(2, 3)
    assert str(document.location(("a", "b"))) == "f.yaml:2:3"


SCALARS: dict[str, Any] = {
    "true": True,
    "No": False,
    "on": True,
    "~": None,
    "null": None,
    "": None,
    "12": 12,
    "-7": -7,
    "+1_000": 1000,
    "010": 8,
    "0x1F": 31,
    "0b11": 3,
    "1.5": 1.5,
    "-.5": -0.5,
    "1.5e+3": 1500.0,
    ".inf": float("inf"),
    "-.INF": float("-inf"),
    # What YAML 1.1 would make numbers and dates of, and people mean as text.
    "21:00": "21:00",
    "2010-09-09": "2010-09-09",
    "2001-12-14t21:59:43Z": "2001-12-14t21:59:43Z",
    "012345678901": "012345678901",
    "1e5": "1e5",
    "0.0.0.0/0": "0.0.0.0/0",
    "'12'": "12",
    '"true"': "true",
    "yesterday": "yesterday",
    "!!str 42": "42",
    "!!int '42'": 42,
    "!!float 3": 3.0,
    "! 42": "42",
    "=": "=",
}


@pytest.mark.parametrize(("text", "value"), SCALARS.items())
def test_scalars(text: str, value: Any) -> None:
    read_back = parse(f"key: {text}\n", "f.yaml").checked().value["key"]
    assert read_back == value
    assert type(read_back) is type(value)


@settings(max_examples=300, deadline=None)
@given(st.from_regex(r"[-+0-9._~a-zA-Z]{1,12}", fullmatch=True).filter(lambda text: text != "-"))
def test_plain_scalars_agree_with_pyyaml_apart_from_the_two_stated_differences(text: str) -> None:
    loaded = yaml.load(f"- {text}", Loader=yaml.CSafeLoader)[0]
    ours = parse(f"- {text}", "f.yaml").checked().value[0]
    if type(loaded) not in (str, bool, int, float, type(None)):
        assert ours == text  # a date
    else:
        assert repr(ours) == repr(loaded)


def test_keys_are_text_as_written() -> None:
    document = parse("on: 1\n123: 2\n2010-09-09: 3\n~: 4\n'<<': 5\n", "f.yaml").checked()
    assert document.value == {"on": 1, "123": 2, "2010-09-09": 3, "~": 4, "<<": 5}


def test_what_was_written_can_be_asked_for() -> None:
    document = parse("a: 0042 # four\nb: '42'\nc: [0x1F, 17.10]\nd:\n", "f.yaml")
    assert document.written(("a",)) == "0042"
    assert document.written(("b",)) == ""
    assert document.written(("c", 0)) == "0x1F"
    assert document.written(("c", 1)) == "17.10"
    assert document.written(("d",)) == ""


def test_every_duplicate_key_is_reported_and_the_first_one_kept() -> None:
    document = parse("a: 1\nb: {x: 1, x: [2, {y: 3}]}\na: {c: 2}\nd: 3\n", "f.yaml")
    assert document.value == {"a": 1, "b": {"x": 1}, "d": 3}
    assert [str(finding) for finding in document.findings] == [
        "f.yaml:2:11: error: key 'x' is there twice; the first is on line 2\n    -> Remove one of the two.",
        "f.yaml:3:1: error: key 'a' is there twice; the first is on line 1\n    -> Remove one of the two.",
    ]
    with pytest.raises(InputError):
        document.checked()


def test_anchors_and_merge_keys() -> None:
    text = "base: &base {x: 1, y: 2}\nmore: &more {y: 5, z: 6}\nuse:\n  <<: [*base, *more]\n  x: 9\nsame: *base\n"
    document = parse(text, "f.yaml").checked()
    assert document.value["use"] == {"x": 9, "y": 2, "z": 6}
    assert document.value["same"] == {"x": 1, "y": 2}
    # What a merge brought stands where it was written.
    assert document.position(("use", "y")) == Position(1, 20)
    assert document.position(("use", "x")) == Position(5, 3)


def test_tags_go_to_the_hook_and_places_follow() -> None:
    def hook(tag: str, value: Any) -> Any:
        if tag == "!GetAtt":
            return {"Fn::GetAtt": value.split(".", 1) if isinstance(value, str) else value}
        if tag == "!Bad":
            raise ValueError("!Bad is not a function")
        return {"Ref" if tag == "!Ref" else f"Fn::{tag[1:]}": value}

    text = "a: !Ref 123\nb: !Sub\n  - ${x}\n  - {x: !GetAtt A.B.C}\nc: !Bad\n"
    document = parse(text, "t.yaml", tag_hook=hook)
    assert document.value["a"] == {"Ref": "123"}
    assert document.value["b"] == {"Fn::Sub": ["${x}", {"x": {"Fn::GetAtt": ["A", "B.C"]}}]}
    assert document.position(("b", "Fn::Sub", 1, "x"), value=True) == Position(4, 9)
    assert document.position(("b", "Fn::Sub", 1, "x", "Fn::GetAtt", 0)) == Position(4, 9)
    assert [str(finding) for finding in document.findings] == ["t.yaml:5:4: error: !Bad is not a function"]


def test_json_is_read_as_json_writes_it() -> None:
    value = {
        "emoji": "\U0001f600 \\ud83d",
        "slash": "/",
        "numbers": [1e5, 2.5, -3, 1e-7],
        "null": None,
        "k" * 1000: True,
    }
    for indent in (None, 2, "\t"):
        document = parse(json.dumps(value, indent=indent).replace("/", "\\/"), "t.json").checked()
        assert document.value == value
    assert parse('{\n\t"a": {"b": 1}}', "t.json").position(("a", "b")) == Position(2, 8)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
        max_leaves=20,
    )
)
def test_any_json_document_is_read_back(value: Any) -> None:
    text = json.dumps([value])
    assert parse(text, "t.json").checked().value == [value]


WRONG = {
    "a:\n\tb: 1\n": "f.yaml:2:1: error: a tab indents this line\n"
    "    -> Use spaces: YAML takes no tabs for indentation.",
    "a:\n  b: 1\n\tc: 2\n": "f.yaml:3:1: error: a tab indents this line\n"
    "    -> Use spaces: YAML takes no tabs for indentation.",
    "": "f.yaml: error: the file is empty\n    -> Check that it was saved.",
    "# nothing\n\n": "f.yaml: error: the file is empty\n    -> Check that it was saved.",
    "a: 1\n---\nb: 2\n": "f.yaml:2:1: error: a second document begins here\n"
    "    -> Keep one document in a file: remove the line `---` or split the file.",
    "a: *x\n": "f.yaml:1:4: error: *x has no anchor above it\n    -> Write &x before the value it repeats.",
    "a: &a [*a]\n": "f.yaml:1:8: error: *a stands inside the value it repeats\n    -> Write the value out.",
    "a: 'x\nb: 2\n": "f.yaml:1:4: error: this quote is never closed\n    -> Close it.",
    "a: b: c\n": "f.yaml:1:5: error: a ':' where none can stand\n"
    "    -> Put the value in quotes if the ':' belongs to it, or check the indentation.",
    "a:\n   b: 1\n  c: 2\n": "f.yaml:3:3: error: this line does not fit the lines above it\n"
    "    -> Check the indentation: the keys of one mapping start in the same column.",
    "a: @x\n": "f.yaml:1:4: error: text cannot begin with '@'\n    -> Put it in quotes: \"@...\".",
    "a: [1, 2\nb: 3\n": "f.yaml:2:2: error: a list or mapping in brackets is not closed, or lacks a ','\n"
    "    -> Close the bracket or write the ','.",
    "a: 1\nfoo\nb: 2\n": "f.yaml:3:1: error: a key without ':' (the line above or this one)\n"
    "    -> Write `key: value`.",
    "a: \x00b": "f.yaml:1:4: error: the control character U+0000 cannot stand in YAML\n"
    "    -> Remove it; an editor may not show it.",
    "a: !Foo b\n": "f.yaml:1:4: error: the tag !Foo means nothing here\n    -> Remove it, or put the text in quotes.",
    "a: !!python/object:os.system x\n": "f.yaml:1:4: error: the tag !!python/object:os.system cannot be used with this "
    "value\n    -> Remove the tag.",
    "a: " + "9" * 5000: "f.yaml:1:4: error: this number is too long\n    -> Put it in quotes if it is meant as text.",
    "[a]: 1\n": "f.yaml:1:1: error: a key cannot be a list or a mapping\n"
    "    -> Write the key as text; put brackets in quotes.",
    "a: 1\n<<: 3\n": "f.yaml:1:1: error: `<<` takes a mapping or a list of mappings\n    -> Write `<<: *defaults`.",
    "x: 1\r\ny: [\r\n": "f.yaml:3:1: error: a list or mapping in brackets is not closed, or lacks a ','\n"
    "    -> Close the bracket or write the ','.",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_in_plain_words(text: str) -> None:
    assert messages(text) == [WRONG[text]]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000,
        "{a: " * 10_000,
        "- " * 10_000,
        "\n".join(" " * depth + "a:" for depth in range(2000)),
        "".join(f"a{i}: &a{i} [*a{i - 1}]\n" if i else "a0: &a0 [1]\n" for i in range(300)),
    ],
    ids=["lists", "mappings", "dashes", "indentation", "aliases"],
)
def test_depth_is_bounded(text: str) -> None:
    started = time.perf_counter()
    (message,) = messages(text)
    assert f"more than {MAX_DEPTH} levels deep" in message
    assert time.perf_counter() - started < 5


def test_a_bomb_is_defused_before_it_grows() -> None:
    names = "abcdefghijklmnop"
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in pairwise(names)
    )
    (message,) = messages(bomb)
    assert f"aliases repeat more than {MAX_ALIASED_NODES:,} values up to here" in message
    merges = "a: &a {" + ",".join(f"k{i}: 1" for i in range(1000)) + "}\n"
    merges += "".join(f"b{i}:\n  <<: [{','.join(['*a'] * 20)}]\n" for i in range(20))
    (message,) = messages(merges)
    assert "aliases repeat more than" in message


def test_a_byte_order_mark_and_dos_line_ends_are_fine() -> None:
    document = parse(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: x y\r\n", "f.yaml").checked()
    assert document.value == {"a": 1, "b": {"c": "x y"}}
    assert document.position(("a",)) == Position(1, 1)
    assert document.position(("b", "c")) == Position(3, 3)
    assert document.written(("b", "c")) == "x y"


def test_bytes_that_are_not_utf_8_are_placed() -> None:
    assert messages(b"a: 1\nb: caf\xe9\n") == [
        "f.yaml:2:7: error: not UTF-8: byte 0xe9 at offset 11\n    -> Save the file as UTF-8 in your editor."
    ]
    (message,) = messages("a: 1\n".encode("utf-16"))
    assert "this file is UTF-16, not UTF-8" in message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    def why(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            read(path)
        return str(caught.value).replace(str(tmp_path), "TMP")

    large = tmp_path / "large.yaml"
    with large.open("wb") as stream:
        stream.truncate(50 * 1024 * 1024)
    started = time.perf_counter()
    assert why(large) == (
        "TMP/large.yaml: error: 50.0 MiB is too large to be read here; the limit is 8.0 MiB\n"
        "    -> Check that this is the file you meant."
    )
    assert time.perf_counter() - started < 0.5
    assert why(tmp_path) == "TMP: error: this is a folder, not a file\n    -> Name the file in it."
    assert why(tmp_path / "nope") == "TMP/nope: error: no such file\n    -> Check the name."
    assert "cannot be read: " in why(Path("x" * 5000))
    assert "cannot be read: " in why(large / "below")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "this is not a regular file" in why(pipe)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("a: 1\n")
    secret.chmod(0)
    with pytest.raises(InputError, match="may not be read by this user"):
        read(secret)


_FRAGMENTS = [
    "a",
    "b: ",
    "- ",
    "\n",
    "  ",
    "\t",
    "{",
    "}",
    "[",
    "]",
    "&x ",
    "*x",
    "<<: ",
    "!T ",
    "!!int ",
    "'",
    '"',
    "|\n",
    ">-",
    "? ",
]
_FRAGMENTS += [
    ": ",
    ",",
    "#",
    "---",
    "...",
    "%YAML 1.1\n",
    "\r",
    "\ufeff",
    "\x85",
    "\u2028",
    "\x00",
    "\ud800",
    "é",
    "9" * 30,
    "~",
    "@",
]


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(_FRAGMENTS) | st.text(max_size=4), max_size=40).map("".join))
def test_any_text_ends_in_a_document(text: str) -> None:
    document = parse(text, "f.yaml")
    assert document.findings or document.value is not None or text.strip()
    for finding in document.findings:
        assert str(finding)
        assert finding.location.position is None or finding.location.position.line <= len(text) + 1


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_document_or_an_input_error(data: bytes) -> None:
    messages(data)


def test_a_template_of_one_megabyte_is_read_in_a_fraction_of_a_second() -> None:
    entry = "  Bucket{0}:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: 'b-{0}'\n"
    entry += "      Tags: [{{Key: a, Value: b}}]\n"
    text = "Resources:\n" + "".join(entry.format(number) for number in range(10_000))
    assert len(text) > 1_000_000
    started = time.process_time()
    assert len(parse(text, "t.yaml").checked().value["Resources"]) == 10_000
    # 0.13 s where it was measured; the bound leaves room for slow and busy machines, and none for a quadratic step.
    assert time.process_time() - started < 1.5
