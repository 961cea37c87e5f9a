"""What goes into the journal comes out again, exactly."""

from collections.abc import Mapping
from datetime import UTC, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.bucket import Anchor, Bucket, Calendar, Epoch, LimitKey, Refill, Since
from gateway.core.cascade import Posting
from gateway.core.limit_text import KeyTexts, key_from, key_text, zone_text
from gateway.core.scope import Scope
from gateway.journal.columns import Columns
from gateway.journal.convert import decode, encode, join
from gateway.journal.record import USUAL, Kind, Rare, Record

huge = st.integers(-(1 << 200), 1 << 200)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
zones: st.SearchStrategy[tzinfo] = st.one_of(
    st.sampled_from(
        [ZoneInfo("Europe/Berlin"), ZoneInfo("America/Argentina/Buenos_Aires"), ZoneInfo("Etc/GMT+3"), UTC]
    ),
    st.integers(-86_399, 86_399).map(lambda seconds: timezone(timedelta(seconds=seconds))),
)
anchors: st.SearchStrategy[Anchor] = st.one_of(
    st.just(Epoch()), huge.map(Since), st.builds(Calendar, st.sampled_from(["day", "month"]), zones)
)
keys = st.builds(LimitKey, text, huge, st.sampled_from(Refill), anchors, text)
scopes = st.builds(Scope, text, text)
buckets = st.builds(Bucket, huge, huge, huge, st.lists(text, max_size=3).map(tuple), huge)
postings = st.builds(Posting, scopes, keys, huge, huge, buckets)
costs: st.SearchStrategy[Mapping[str, int]] = st.dictionaries(text, huge, max_size=3)
maybe = st.none() | st.integers(0, 1 << 62)


rares = st.builds(
    Rare,
    costs,
    st.booleans(),
    st.lists(keys, max_size=2).map(tuple),
    st.none() | huge,
    st.none() | text,
    st.integers(0, 9),
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    scope = draw(st.none() | scopes)
    return Record(
        draw(st.sampled_from(Kind)),
        draw(text),
        draw(huge),
        draw(text),
        scope,
        draw(costs),
        draw(st.lists(postings, max_size=3).map(tuple)),
        status=draw(st.none() | st.integers(100, 599)),
        latency_us=draw(maybe),
        upstream_latency_us=draw(maybe),
        user=draw(st.none() | text),
        workspace=draw(st.none() | text),
        outcome=draw(text),
        rare=draw(st.just(USUAL) | rares),
    )


@given(keys)
def test_a_limit_key_comes_back_as_it_was(key: LimitKey) -> None:
    assert key_from(key_text(key)) == key


@settings(max_examples=40)
@given(st.lists(st.lists(records(), min_size=1, max_size=4), max_size=3))
def test_records_come_back_as_they_were(chunks: list[list[Record]]) -> None:
    texts = KeyTexts()
    encoded = [encode(Columns(chunk), texts) for chunk in chunks]
    assert decode(join(blob for blob, _ in encoded)) == [record for chunk in chunks for record in chunk]
    assert [[*kept.records()] for _, kept in encoded] == chunks


def test_costs_may_be_shared_or_each_their_own() -> None:
    shared = {"throughput": 3}
    several = [
        Record(Kind.CHARGE, str(n), n, "GET /x", None, shared if n % 2 else {"throughput": n}) for n in range(50)
    ]
    assert decode(join([encode(Columns(several), KeyTexts())[0]])) == several


def test_text_that_is_not_unicode_is_spelled_out() -> None:
    odd = Record(Kind.CHARGE, "r", 1, "GET /\ud800", Scope("user", "a\udc80"))
    blob, chunk = encode(Columns([odd]), KeyTexts())
    (kept,) = chunk.records()
    assert kept.scope == Scope("user", "a\\udc80")
    assert decode(join([blob])) == [kept]


def test_what_no_record_may_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="no complex"):
        encode(Columns([Record(Kind.CHARGE, "r", 1, costs={"throughput": complex(1, 2)})]), KeyTexts())  # type: ignore[dict-item]


def test_a_time_zone_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no name"):
        zone_text(timezone(timedelta(microseconds=1)))


@pytest.mark.parametrize("blob", [b"", b"[", b"[{}]", b"[1]", b"\x78\x01junk", b'[{"words":[]}]'])
def test_damaged_bytes_are_called_damaged(blob: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(blob)
