import pytest

from gateway.core.redis_place import Place, place_of


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://host", Place("single", (("host", 6379),))),
        ("redis://:p%40ss@[::1]:7000/3", Place("single", (("::1", 7000),), db=3, password="p@ss")),
        (
            "rediss://me:x@h/0?ca=/etc/ca.pem",
            Place("single", (("h", 6379),), username="me", password="x", tls=True, ca="/etc/ca.pem"),
        ),
        ("unix:///run/redis.sock?db=2", Place("single", path="/run/redis.sock", db=2)),
        (
            "redis+sentinel://:pw@a:26379,b/main/1?sentinel_password=s",
            Place("sentinel", (("a", 26379), ("b", 26379)), db=1, password="pw", service="main", sentinel_password="s"),
        ),
        ("rediss+cluster://a:1,b:2", Place("cluster", (("a", 1), ("b", 2)), tls=True)),
    ],
)
def test_a_url_says_where_redis_is(url: str, place: Place) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://secret@host", "must start with one of redis://"),
        ("redis://", "must start with one of"),
        ("redis://secret@:1", "must name a host"),
        ("redis://secret@host:port", "port that is no number"),
        ("redis://secret@host/x", "not a number"),
        ("redis://secret@host/1/2", "too much after the host"),
        ("redis://secret@one,two", "several hosts"),
        ("redis+sentinel://secret@one", "must name the service"),
        ("redis+cluster://secret@one/0", "a cluster has no databases"),
        ("redis://secret@host?retries=secret", "unknown option 'retries'"),
        ("redis://secret@host?&=", "options that cannot be read"),
        ("unix://host/secret", "must be unix:///path"),
        ("unix:///secret?x=1", "unknown option 'x'"),
    ],
)
def test_what_is_no_such_url_is_refused_without_quoting_it(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        place_of(url)
    assert "secret" not in str(refused.value)


def test_a_place_is_shown_without_its_credentials() -> None:
    shown = [str(place_of(f"redis://me:hidden@{rest}")) for rest in ("h:1/2", "[::1]")]
    assert shown == ["h:1 database 2", "[::1]:6379"]
    assert str(place_of("redis+sentinel://:hidden@a,b/main")) == "main at a:26379,b:26379"
