"""Members are taken out of JSON texts, and nothing else is touched."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.strip_json import JsonStripper

PASSWORD = JsonStripper(["password"])
NAMES = ("password", "token", 'a"b\\/é\n𝄞', "x.y*")

CASES = [
    (b'{"a":1,"password":"x","b":2}', b'{"a":1,"b":2}'),
    (b'{"password":"x","b":2}', b'{"b":2}'),
    (b'{"a":1,"password":"x"}', b'{"a":1}'),
    (b'{"password":"x"}', b"{}"),
    (b'{ "password" : "x" }', b"{  }"),
    (b'{\n  "a": 1,\n  "password": "x",\n  "b": 2\n}', b'{\n  "a": 1,\n  "b": 2\n}'),
    (b'{\n  "password": "x",\n  "b": 2\n}', b'{\n  \n  "b": 2\n}'),
    (b'[{"u":{"password":"$2a$10$x","id":1}},{"u":{"id":2,"password":null}}]', b'[{"u":{"id":1}},{"u":{"id":2}}]'),
    (b'{"password":{"a":[1,{"}":"]\\""}]},"b":2}', b'{"b":2}'),
    (b'{"password":["password",{"password":1}],"b":2}', b'{"b":2}'),
    (b'{"password":1,"password":2,"password":3}', b"{}"),
    (b'{"a":1,"password":1.5e9,"password":true,"b":[]}', b'{"a":1,"b":[]}'),
    (b'{"pass\\u0077ord":"x","b":2}', b'{"b":2}'),
    (b'{"\\u0070\\u0061\\u0073\\u0073\\u0077\\u006F\\u0072\\u0064":"x"}', b"{}"),
    (b'{"password":"ends with a backslash \\\\","b":2}', b'{"b":2}'),
    (b'{"password":"says \\"no\\", twice","b":2}', b'{"b":2}'),
]  # fmt: skip
UNTOUCHED = [
    b"",
    b"null",
    b'"password"',
    b'["password","x"]',
    b'{"Password":1,"passwords":2,"my password":3,"":4}',
    b'{"a":"password"}',
    b'{"a":", \\"password\\":\\"x\\""}',
    b'{"a":"\\\\","b":"\\", \\"password\\": 1"}',
    b'{"n":1.10,"big":123456789012345678901234567890,"u":"\\u00e9\\ud800"}',
    b"password: x",
]


@pytest.mark.parametrize(("text", "left"), CASES)
def test_a_member_goes_with_its_comma(text: bytes, left: bytes) -> None:
    assert PASSWORD(text) == left


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_is_no_such_member_stays_as_it_is(text: bytes) -> None:
    assert PASSWORD(text) is text


@pytest.mark.parametrize("text", [b'{"a":1,"password":"$2a$', b'{"a":1,"password":{"b":[', b'{"a":1,"password":"x\\'])
def test_a_secret_whose_end_is_missing_goes_with_all_that_follows(text: bytes) -> None:
    assert PASSWORD(text) == b'{"a":1'


def test_there_must_be_something_to_look_for() -> None:
    with pytest.raises(ValueError, match="a name"):
        JsonStripper([])


words = st.one_of(st.sampled_from(NAMES), st.text(max_size=8), st.sampled_from([f', "{name}":' for name in NAMES]))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), words),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(words, inner, max_size=4)),
    max_leaves=12,
)


def without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: without(inner, names) for key, inner in value.items() if key not in names}
    return [without(inner, names) for inner in value] if isinstance(value, list) else value


@given(
    value=values,
    names=st.frozensets(st.sampled_from(NAMES), min_size=1),
    indent=st.sampled_from([None, 0, 2]),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\r\n")]),
    coding=st.sampled_from(["escaped", "as it is"]),
)
@example([{"password": [{"token": "}"}]}], frozenset(NAMES), None, (",", ":"), "escaped")
def test_of_any_json_text_exactly_those_members_are_missing(
    value: Any, names: frozenset[str], indent: int | None, separators: tuple[str, str], coding: str
) -> None:
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=coding == "escaped").encode()
    left = JsonStripper(names)(text)
    assert json.loads(left) == without(value, names)
    if left == text:
        assert without(value, names) == value


@given(name=st.text(min_size=1, max_size=8).filter(lambda text: not re.search("[\ud800-\udfff]", text)), data=st.data())
def test_a_name_is_known_in_every_spelling(name: str, data: st.DataObject) -> None:
    escaped = "".join(
        "".join(f"\\u{unit:04X}" for unit in units(character))
        if data.draw(st.booleans())
        else json.dumps(character, ensure_ascii=False)[1:-1]
        for character in name
    )
    assert JsonStripper([name])(f'{{"a":1,"{escaped}":2}}'.encode()) == b'{"a":1}'


def units(character: str) -> list[int]:
    raw = character.encode("utf-16-be")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]
