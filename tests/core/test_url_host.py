import pytest

from gateway.core.url_host import is_at_behind_host


@pytest.mark.parametrize(
    ("url", "behind"),
    [
        ("postgresql://wb:secret@db:5432/wb", False),
        ("postgresql://wb:a%2Fb%40c@db/wb", False),
        ("postgresql://wb:a@b@db/wb", False),
        ("postgresql://db", False),
        ("", False),
        ("postgresql://wb:a/b@db/wb", True),
        ("postgresql://wb:a?b@db/wb", True),
        ("postgresql://wb:a#b@db", True),
        ("postgresql://wb:secret@db/wb?password=a@b", True),
    ],
)
def test_an_at_behind_the_host_is_seen(url: str, behind: bool) -> None:  # noqa: FBT001
    assert is_at_behind_host(url) is behind
