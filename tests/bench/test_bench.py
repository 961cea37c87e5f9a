import asyncio
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from subprocess import run

import jwt
import pytest

from bench import bulk, extras, report, workload
from bench.goals import Goal, goals
from bench.load import Load, parse
from bench.rounds import Latency, Measured, Sample
from bench.subjects import GATEWAY, NGINX, NGINX_LUA, YARDSTICK
from bench.upstream import BODY
from gateway.settings.load import load

ROOT = Path(__file__).parents[2]
SECRET = "a-secret-of-the-benchmark-test-0123456789"


@pytest.fixture(scope="module")
def calls() -> list[workload.Call]:
    return workload.make(SECRET)


def sample(per_second: int, cpu_seconds: float, failed: int = 0) -> Sample:
    return Sample(Load(per_second * 2, 2.0, failed, 0, 1000, 5000), cpu_seconds, 50_000_000)


def test_the_load_is_of_the_promised_shape(calls: list[workload.Call]) -> None:
    assert len(calls) == workload.REQUESTS
    assert {call.path for call in calls} == {path for _, path in {(call.method, call.path) for call in calls}}
    assert len({(call.method, call.path) for call in calls}) == 500
    assert 900 < len({call.workspace for call in calls}) <= 1_000
    assert 5_000 < len({call.token for call in calls}) <= 10_000
    assert jwt.decode(calls[0].token, SECRET, algorithms=["HS256"])["sub"]


def test_a_few_callers_make_most_of_the_load(calls: list[workload.Call]) -> None:
    workspaces = [call.workspace for call in calls]
    most = max(workspaces.count(one) for one in set(workspaces[:200]))
    assert most > 20 * len(calls) / 1_000


def test_the_load_is_the_same_every_time(calls: list[workload.Call]) -> None:
    again = workload.make(SECRET)
    assert [(call.method, call.path, call.workspace) for call in again] == [
        (call.method, call.path, call.workspace) for call in calls
    ]


def test_what_is_written_for_the_load_generator_is_read_back(calls: list[workload.Call], tmp_path: Path) -> None:
    assert workload.read(workload.write(calls[:50], tmp_path)) == calls[:50]


def test_a_request_says_how_long_its_body_is() -> None:
    post = workload.head_and_body(workload.Call("POST", "/x", "t", "w"), "h")
    head, _, body = post.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert workload.head_and_body(workload.Call("GET", "/x", "t", "w"), "h").endswith(b"\r\n\r\n")


def test_the_gateway_is_measured_with_a_thousand_rules_a_journal_and_an_access_log(tmp_path: Path) -> None:
    workload.write([], tmp_path)
    config = tmp_path / "gateway.yaml"
    config.write_text((ROOT / "bench" / "gateway.yaml").read_text())
    environment = {
        "BENCH_PORT": "8080",
        "BENCH_UPSTREAM_PORT": "9000",
        "BENCH_JWT_SECRET": SECRET,
        "BENCH_LEDGER": str(tmp_path / "ledger.db"),
    }
    settings = load(config, environment)
    assert len(settings.rules) == 1_000
    assert settings.ledger.url.startswith("sqlite:")
    assert isinstance(settings.log.access, str)
    assert settings.cascade == ("workspace", "user")


def test_the_body_behind_is_json_of_the_documented_size() -> None:
    assert json.loads(BODY)
    assert len(BODY) == 243


def test_the_result_is_the_generators_last_line_of_json() -> None:
    line = '{"requests": 10, "seconds": 2.0, "bad_status": 1, "broken": 0, "p50_us": 3, "p99_us": 4}'
    assert parse(f"Running 2s test\n{line}\n") == Load(10, 2.0, 1, 0, 3, 4)
    with pytest.raises(RuntimeError, match="unable to connect"):
        parse("", "unable to connect to 127.0.0.1:1 Connection refused")


def test_ratios_are_taken_within_a_round() -> None:
    # The machine's speed changed between rounds: the medians alone would say 1.5.
    bare = [sample(1000, 2.0), sample(2000, 2.0), sample(2000, 2.0)]
    ours = [sample(3000, 2.0), sample(6000, 2.0), sample(2000, 1.0)]
    first, second = report.rows(Measured({YARDSTICK: bare, GATEWAY: ours}, {}))
    assert (first.per_second_ratio, second.per_second_ratio) == (1.0, 3.0)
    assert second.cpu_us == pytest.approx(1.0 / 4000 * 1e6)
    assert second.core_busy == pytest.approx(1.0)


def goal(table: list[report.Row], what: str) -> Goal:
    return next(each for each in goals(table, None, None, {}) if what in each.what)


def test_a_slower_gateway_misses_the_goal_and_a_missing_one_is_no_success() -> None:
    for per_second, verdict in ((1400, "missed"), (1500, "goal")):
        table = report.rows(Measured({YARDSTICK: [sample(1000, 2.0)], GATEWAY: [sample(per_second, 2.0)]}, {}))
        assert goal(table, "bare aiohttp").verdict == verdict
    assert goal(report.rows(Measured({YARDSTICK: [sample(1000, 2.0)]}, {})), "bare aiohttp").verdict == "not measured"


def test_between_the_minimum_and_the_goal_only_the_minimum_is_met() -> None:
    table = report.rows(Measured({NGINX_LUA: [sample(1000, 2.0)], GATEWAY: [sample(700, 2.0)]}, {}))
    assert goal(table, "nginx + Lua counter").verdict == "minimum"


def test_of_what_shall_be_small_less_is_better() -> None:
    added = Latency(p50_us=1_400, p99_us=7_000, bare_p50_us=1_000, bare_p99_us=2_000)
    reached = {each.what: each.verdict for each in goals([], 0.995, added, {})}
    assert reached["added latency at half of peak, p50"] == "minimum"
    assert reached["added latency at half of peak, p99"] == "missed"
    assert reached["share of requests in the fast lane"] == "goal"


def test_what_the_parts_find_is_held_against_its_goals() -> None:
    way = {"mb_s": 50.0, "cpu_us_mb": 1.0, "grew_mb": 1.0}
    found = {
        "bodies": {
            GATEWAY: {"100 MB": {"down": way, "up": way | {"mb_s": 25.0, "grew_mb": 12.0}}},
            NGINX: {"100 MB": {"down": way, "up": way}},
        },
        "recorded": {"share": 0.89},
        "starting": {"empty": {"rss_bytes": 99_000_000}, "stored": {"ready_s": 0.9}},
        "streams": {"grew_mb": 30.0},
        "lab": {"matching_ns": {"10": 100.0, "10000": 140.0}, "bucket_bytes": 300, "journal": {"share": 0.05}},
    }
    reached = {each.what: each.verdict for each in goals([], None, None, found)}
    assert reached["bodies of 100 MB against nginx, the slower way"] == "minimum"
    assert reached["memory that bodies of 100 MB take"] == "minimum"
    assert reached["memory 1,000 slow SSE readers go on to take"] == "missed"
    assert reached["share of wacraft's recorded calls there"] == "missed"
    assert reached["memory of an idle process"] == "minimum"
    assert reached["time to ready with 1,000,000 stored buckets"] == "goal"
    assert reached["rule matching, 10,000 rules against 10"] == "minimum"
    assert reached["journal: the longest stall of the loop"] == "not measured"


@pytest.mark.parametrize("part", extras.NAMES)
def test_each_part_is_a_program_of_its_own(part: str) -> None:
    assert callable(import_module(f"bench.{part}").main)


def test_a_part_that_fails_is_named_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found, missing = extras.run(("nothing",), lambda _: None)
    assert found == {}
    assert "No module named bench.nothing" in missing["nothing"]


async def test_a_body_of_any_length_comes_back_and_is_counted() -> None:
    server = await asyncio.get_running_loop().create_server(bulk.Upstream, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    get, post = b"GET /bytes/700000 HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /bytes HTTP/1.1\r\nHost: x\r\n"
    async with server:
        assert await bulk.repeat(port, get, 0, times=3, connections=2, expected=700_000) > 0
        head = post + b"Content-Length: 600000\r\n\r\n"
        assert await bulk.repeat(port, head, 600_000, times=3, connections=2, expected=6) > 0
        with pytest.raises(RuntimeError, match="had 700000 bytes"):
            await bulk.repeat(port, get, 0, times=1, connections=1, expected=1)


def test_a_subject_that_shall_refuse_fails_where_it_does_not() -> None:
    assert Sample(Load(100, 2.0, 98, 1, 1000, 5000), 1.0, 1, refuses=True).failed == 1
    assert Sample(Load(100, 2.0, 2, 0, 1000, 5000), 1.0, 1, refuses=True).failed == 100


def test_failed_answers_are_counted_over_all_rounds() -> None:
    (row,) = report.rows(Measured({GATEWAY: [sample(10, 1.0, 2), sample(10, 1.0, 3)]}, {}))
    assert (row.failed, row.per_second_ratio) == (5, None)


def test_a_short_run_writes_its_figures_even_where_nothing_is_installed(tmp_path: Path) -> None:
    options = [
        "--rounds",
        "1",
        "--seconds",
        "0.3",
        "--warm-up",
        "0.1",
        "--connections",
        "4",
        "--results",
        str(tmp_path),
    ]
    chosen = ["--only", YARDSTICK, "--only", NGINX]
    done = run(
        [sys.executable, "-m", "bench", *options, *chosen],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "apt-get install nginx-light" in done.stdout
    (file,) = tmp_path.glob("*.json")
    written = json.loads(file.read_text())
    (bare,) = written["samples"][YARDSTICK]
    assert bare["load"]["requests"] > 0
    assert bare["cpu_seconds"] > 0
    assert written["missing"] == {"nginx proxy_pass": "not installed: apt-get install nginx-light"}
