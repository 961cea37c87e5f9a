"""No spelling is a discount: whatever reaches one handler costs the same, and nothing arrives unweighed."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.dodges.judge import Case, judging
from tests.e2e.dodges.spellings import COSTS, OVERRIDES, POSTED, Fields, by_hand, spellings
from tests.e2e.wire import request


@given(batch=st.lists(spellings(), min_size=30, max_size=60))
@settings(max_examples=10, suppress_health_check=list(HealthCheck))
async def test_made_up_spellings_that_reach_one_handler_cost_the_same(
    tmp_path_factory: pytest.TempPathFactory, batch: list[tuple[str, bytes, Fields]]
) -> None:
    async with judging(tmp_path_factory.mktemp("dodges")) as judge:
        for spelling in batch:
            await judge.judge(*spelling)


async def test_known_spellings_that_reach_one_handler_cost_the_same(tmp_path: Path) -> None:
    async with judging(tmp_path) as judge:
        cases = [await judge.judge("GET", target) for target in by_hand()]
        cases += [await judge.judge("POST", target) for target in by_hand(POSTED)]
    statuses = Counter(case.answer.status for case in cases)
    # Spellings were served, refused by the upstream and refused here: all three were tried.
    assert min(statuses[200], statuses[404], statuses[400]) > 100, statuses
    assert reached(cases) >= COSTS.keys() - {"GET /websocket/message/new"}


async def test_override_fields_change_neither_handler_nor_cost(tmp_path: Path) -> None:
    async with judging(tmp_path) as judge:
        for method, path, handler in (("GET", b"/contact", "GET /contact"), ("POST", b"/bytes/3", "ANY /bytes/:n")):
            for name in OVERRIDES:
                for value in ("POST", "get", "/bytes/3", "/contact", "/Billing/plan"):
                    case = await judge.judge(method, path, [(name, value)])
                    assert reached([case]) == {handler}
                    assert name.encode() not in b"".join(field.encode() for field, _ in case.arrived[0].headers)


@pytest.mark.parametrize("method", ["PROPFIND", "get", "Get", "POST\t", "CONNECT", "G-ET", "PRI"])
async def test_a_method_in_another_case_or_of_another_protocol_is_never_cheaper(tmp_path: Path, method: str) -> None:
    async with judging(tmp_path) as judge:
        cases = [await judge.judge(method, b"/contact"), await judge.judge(method, b"/echo")]
    assert reached(cases) == ({"", "ANY /echo/**"} if method == "PROPFIND" else set())


async def test_head_costs_what_get_costs_and_options_is_metered(tmp_path: Path) -> None:
    async with judging(tmp_path) as judge:
        assert (await judge.judge("HEAD", b"/CONTACT/")).debited == 6
        assert (await judge.judge("OPTIONS", b"/contact")).debited == 1
        assert (await judge.judge("OPTIONS", b"/echo")).debited == 15
        assert (await judge.judge("OPTIONS", b"*")).debited == 1


async def test_a_preflight_is_free_and_brings_no_credential_along(tmp_path: Path) -> None:
    preflight = (("Origin", "https://a.example"), ("Access-Control-Request-Method", "POST"))
    async with judging(tmp_path) as judge:
        wire = request(b"/contact?Authorization=Bearer+x&a=1", [*judge.who, *preflight], "OPTIONS")
        answer, (seen,), debited = await judge.send(wire)
    assert (answer.status, seen.handler, debited) == (204, "", 0)
    assert "authorization" not in {name.lower() for name, _ in seen.headers}
    assert seen.raw_path == "/contact?a=1"


def reached(cases: Iterable[Case]) -> set[str]:
    return {seen.handler for case in cases for seen in case.arrived}
