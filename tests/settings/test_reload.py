"""What a reload cannot apply."""

from gateway.settings.reload import restart_only
from tests.settings.conftest import Load


def test_only_what_differs_and_needs_a_restart_is_named(loaded: Load) -> None:
    old = loaded("listen: 127.0.0.1:1\nheaders: {ietf: true}")
    new = loaded(
        "listen: 127.0.0.1:2\nheaders: {ietf: false}\nledger: memory\nlimits: {stop_timeout: 1s, header_count: 9}"
    )
    assert restart_only(old, new) == ["listen", "ledger.url", "limits.header_count"]


def test_nothing_changed_needs_no_restart(loaded: Load) -> None:
    assert restart_only(loaded("metrics: {listen: '[::1]:9'}"), loaded("metrics: {listen: '[::1]:9'}")) == []


def test_a_listener_that_appears_needs_a_restart(loaded: Load) -> None:
    assert restart_only(loaded(""), loaded("metrics: {listen: '[::1]:9'}")) == ["metrics.listen"]
