import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.scope import ID_LENGTH, Scope, canonical_uuid, normalise_id

SPELLINGS = ["{}", "urn:uuid:{}", "URN:UUID:{}", "{{{}}}", "[{}]", "x{}y"]


@given(st.uuids(), st.sampled_from(SPELLINGS), st.sampled_from([str.upper, str.lower, str.title]))
def test_every_spelling_of_a_uuid_is_one_id(uuid: object, around: str, case: object) -> None:
    text = str(uuid)
    assert callable(case)
    assert normalise_id(around.format(case(text))) == text
    assert normalise_id(case(text.replace("-", ""))) == text
    assert normalise_id(text) == normalise_id(normalise_id(text) or "")


@pytest.mark.parametrize(
    "text",
    [
        "aa0e8400-e29b-41d4-a716-44665544000",
        "aa0e8400-e29b-41d4-a716-4466554400055",
        "aa0e8400e29b-41d4-a716-4466554400055",
        "ga0e8400-e29b-41d4-a716-446655440005",
        "urn:uuid-aa0e8400-e29b-41d4-a716-44665544000",
        "x" * 38,
        "\u0661" * 32,
    ],
)
def test_what_is_no_uuid_stays_as_it_is(text: str) -> None:
    assert canonical_uuid(text) is None
    assert normalise_id(text) == text


@pytest.mark.parametrize("text", ["", " a", "a ", "a\nb", "a\x00", "\u200b", "x" * (ID_LENGTH + 1)])
def test_what_cannot_be_an_id_is_none(text: str) -> None:
    assert normalise_id(text) is None


@given(st.text())
def test_an_id_normalised_twice_is_normalised_once(text: str) -> None:
    once = normalise_id(text)
    assert once is None or normalise_id(once) == once


def test_a_scope_is_written_as_kind_and_id() -> None:
    assert str(Scope("user", "ann")) == "user:ann"
