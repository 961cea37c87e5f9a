import json
from pathlib import Path

from click.testing import CliRunner

from gateway.cli import main
from gateway.journal.options import Pace
from gateway.ledger.bounds import FLUSH_MS, NEAR_S, bounds, exact_sentence, sentence
from gateway.ledger.redis.doctor import examine
from gateway.ledger.redis.scripts import MERGE
from tests.redis_server.server import RedisServer, free_port

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
CONFIG = """\
upstream: {{url: "http://127.0.0.1:9"}}
ledger: {{url: "{url}", mode: {mode}}}
store: null
defaults: {{user: pro, workspace: null}}
plans:
  - {{slug: pro, throughput_limit: 5000, window_seconds: 60}}
  - {{slug: both, limits: [{{amount: 10, window: 1s}}, {{amount: 1000000, window: 30d}}]}}
on_store_failure: {policy}
"""


def configured(folder: Path, url: str, mode: str = "exact", policy: str = "open") -> list[str]:
    config = folder / "gateway.yaml"
    config.write_text(CONFIG.format(url=url, mode=mode, policy=policy))
    return ["--config", str(config)]


async def test_a_redis_that_forgets_is_not_good_enough(mortal: RedisServer) -> None:
    client = mortal.client()
    found = await examine(mortal.url)
    assert [each.verdict for each in found] == ["good", "good", "bad"]
    assert "a restart empties Redis" in found[-1].risk
    client.config_set("save", "3600 1")
    assert "back to its last snapshot" in (await examine(mortal.url))[-1].risk
    client.config_set("appendonly", "yes")
    assert [each.verdict for each in await examine(mortal.url)] == ["good", "good", "risk"]
    client.config_set("appendfsync", "always")
    assert [each.verdict for each in await examine(mortal.url)] == ["good", "good", "good"]
    client.config_set("maxmemory-policy", "allkeys-lru")
    (bad,) = [each for each in await examine(mortal.url) if each.verdict == "bad"]
    assert "budget has it whole again" in bad.risk


async def test_a_redis_that_is_not_there_is_a_finding() -> None:
    (found,) = await examine(f"redis://:hidden@127.0.0.1:{free_port()}")
    assert (found.verdict, "hidden" in found.what) == ("bad", False)


def test_the_command_exits_by_what_it_found(mortal: RedisServer, tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["doctor", *configured(tmp_path, mortal.url), "--json"])
    assert (told.exit_code, [each["verdict"] for each in json.loads(told.output)]) == (1, ["good", "good", "bad"])
    mortal.client().config_set("appendonly", "yes")
    told = CliRunner().invoke(main, ["doctor", *configured(tmp_path, mortal.url)])
    assert (told.exit_code, "appendfsync everysec" in told.output) == (0, True)


def test_check_prints_how_far_budgets_can_be_off(tmp_path: Path) -> None:
    exact = CliRunner().invoke(main, ["check", *configured(tmp_path, "redis://localhost")])
    assert exact.exit_code == 0
    lines = [line for line in exact.output.splitlines() if line.startswith("bound: ")]
    assert lines[0] == "bound: Redis and all gateways work: refused too early 0; admitted too much 0"
    assert lines == [f"bound: {sentence(each)}" for each in bounds(leased=False, policies=["open"])]
    leased = CliRunner().invoke(main, ["check", *configured(tmp_path, "redis://localhost", "leased", "lease")])
    assert (
        "plan 'pro': a gateway that dies takes at most 312 of 5000 units with it (min(2048, 5000 / 16))"
        in leased.output
    )
    assert "Redis is away, on_store_failure lease" in leased.output
    assert exact_sentence("both") in leased.output
    assert exact_sentence("pro") not in leased.output
    assert exact_sentence("both") not in exact.output


def test_every_bound_stands_in_the_documentation() -> None:
    text = OPERATIONS.read_text("utf-8")
    for each in bounds(leased=True, policies=["open", "closed", "lease"]):
        assert f"| {each.event} | {each.refused_early} | {each.admitted_too_much} |" in text


def test_the_printed_pace_of_the_journal_and_what_a_merge_takes_for_near_are_their_own() -> None:
    assert Pace().flush_s * 1_000 == FLUSH_MS
    assert f"local NEAR_US = {NEAR_S * 1_000_000}\n" in MERGE.text
