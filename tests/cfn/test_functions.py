"""List and text functions on values with holes."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from bicoastal.cfn import functions
from bicoastal.cfn.values import Encoded, Reference, Text, Unknown, text_of

ROLE = Reference("s", "Role", "Arn")


def test_json_keeps_the_holes_of_its_texts() -> None:
    text = functions.to_json({"Resource": Text(("x/", ROLE, "/*")), "Role": ROLE})
    assert text == Text(('{"Resource":"x/', ROLE, '/*","Role":"', ROLE, '"}'))


def test_user_data_is_read_however_it_was_encoded() -> None:
    assert functions.decoded(Encoded("#cloud-config")) == "#cloud-config"
    assert functions.decoded(base64.b64encode(b"#!/bin/sh").decode()) == "#!/bin/sh"
    assert functions.decoded("not base64!") == "not base64!"


@given(st.lists(st.text(alphabet="ab-", max_size=4), min_size=1, max_size=5), st.sampled_from([",", "::"]))
def test_split_undoes_join(items: list[str], delimiter: str) -> None:
    assert functions.split(delimiter, functions.join(delimiter, items)) == items


@given(st.lists(st.one_of(st.text(max_size=3), st.just(ROLE)), max_size=6))
def test_a_text_never_has_two_literals_in_a_row(parts: list[str | Reference]) -> None:
    value = text_of(parts)
    if isinstance(value, Text):
        assert not any(
            isinstance(left, str) and isinstance(right, str)
            for left, right in zip(value.parts, value.parts[1:], strict=False)
        )
    assert str(value) == "".join(map(str, parts))


def test_unknown_spreads_with_its_reason() -> None:
    reason = Unknown("because")
    assert functions.split(",", reason) is reason
    assert functions.join(",", reason) is reason
    assert functions.select(0, reason) is reason
    assert functions.same(reason, "a") is reason
