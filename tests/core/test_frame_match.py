import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.frame_match import JUDGED_BYTES, FrameMatch

SEND = FrameMatch(texts=("send", "Send again"))
BEGINS = FrameMatch(prefixes=("send ", "größe"))
TYPED = FrameMatch(members={"type": ("send", "resend"), "n": (1,)})


def judged(match: FrameMatch, message: str | bytes) -> bool | None:
    return match.judge(message.encode() if isinstance(message, str) else message, whole=True)


@pytest.mark.parametrize("message", ["send", "SEND", " send\r\n", "\ufeffsend", "send\0", "send again"])
def test_a_text_is_compared_as_loosely_as_any_upstream_might(message: str) -> None:
    assert judged(SEND, message) is True


@pytest.mark.parametrize("message", ["", "ping", "sen", "sends", "s end", '"send"', "again", b"\xffsend"])
def test_another_text_is_not_weighed(message: str | bytes) -> None:
    assert judged(SEND, message) is False


@pytest.mark.parametrize("message", ["send x", "SEND  ", "\n send x", "Größe", "GRÖSSE 1", "größeres"])
def test_what_begins_so_is_weighed(message: str) -> None:
    assert judged(BEGINS, message) is True


@pytest.mark.parametrize("message", ["", "send", "sending", "x send ", "groß", b"gr\xc3"])
def test_what_begins_otherwise_is_not(message: str | bytes) -> None:
    assert judged(BEGINS, message) is False


@pytest.mark.parametrize(
    "message",
    [
        '{"type":"send","n":1}',
        '{"n":1.0,"type":"resend","more":{"type":"x"}}',
        '{"TYPE":" Send ","N":1}',
        '{"type":"x","type":"send","n":1,"n":2}',
        '[{"type":"x"},{"type":"send","n":1}]',
        '\ufeff {"type":"\\u0073end","n":1}\n',
        '{"type":"send","n":1',  # what cannot be read counts
        "[" * 60_000,
        '{"n":' + "9" * 5_000 + "}",
    ],
)
def test_members_are_looked_for_as_loosely_as_any_upstream_might(message: str) -> None:
    assert judged(TYPED, message) is True


@pytest.mark.parametrize(
    "message",
    [
        "",
        "send",
        '"send"',
        "{}",
        "[]",
        "[1]",
        '{"type":"send"}',
        '{"type":"send","n":true}',
        '{"type":"send","n":"1"}',
        '{"type":["send"],"n":1}',
        '{"type":"other","n":1}',
        '[{"type":"send"},{"n":1}]',
        '{"inner":{"type":"send","n":1}}',
    ],
)
def test_other_members_are_not_weighed(message: str) -> None:
    assert judged(TYPED, message) is False


def test_true_false_and_null_are_values_of_their_own() -> None:
    match = FrameMatch(members={"run": (True, None)})
    verdicts = [judged(match, json.dumps({"run": value})) for value in (True, None, False, 1, "true")]
    assert verdicts == [True, True, False, False, False]


def test_a_message_is_let_go_as_soon_as_it_cannot_be_one() -> None:
    assert SEND.judge(b"sen", whole=False) is None
    assert SEND.judge(b" send ", whole=False) is None
    assert SEND.judge(b"send x", whole=False) is False
    assert SEND.judge(b"p", whole=False) is False
    assert BEGINS.judge(b"send", whole=False) is None
    assert BEGINS.judge("größ".encode(), whole=False) is None
    assert BEGINS.judge(b"gr\xc3", whole=False) is None  # half an umlaut
    assert BEGINS.judge(b"send ", whole=False) is True
    assert TYPED.judge(b" ", whole=False) is None
    assert TYPED.judge(b' {"type":"x"', whole=False) is None
    assert TYPED.judge(b'"type"', whole=False) is False


def test_a_long_message_is_judged_by_its_beginning() -> None:
    long = b"x" * 1_000_000
    assert SEND.judge(b"p" + long, whole=True) is False
    assert BEGINS.judge(b"send " + long, whole=False) is True
    assert BEGINS.judge(b"sent " + long, whole=False) is False
    assert TYPED.judge(b"p" + long, whole=False) is False


def test_what_is_too_long_to_be_judged_counts() -> None:
    assert SEND.judge(b"send" + b" " * 2_000, whole=True) is True
    assert SEND.judge(b" " * 2_000, whole=False) is True
    assert TYPED.judge(b"{" + b" " * JUDGED_BYTES, whole=False) is True
    assert TYPED.judge(b" " * (JUDGED_BYTES + 1), whole=False) is True


alphabet = st.sampled_from(list('sendSEND  größeßSS\0\t{}[]":1,typen\ufeff\ufffd'))
messages = st.one_of(
    st.lists(alphabet, max_size=30).map("".join).map(str.encode),
    st.binary(max_size=20),
    st.sampled_from([b"send again", b" send\n", "größe".encode(), b'{"type":"send","n":1}']),
)


@given(messages, st.sampled_from([SEND, BEGINS, TYPED]))
def test_more_of_a_message_changes_no_verdict(message: bytes, match: FrameMatch) -> None:
    final = match.judge(message, whole=True)
    assert final is not None
    for end in range(len(message) + 1):
        assert match.judge(message[:end], whole=False) in (None, final)
