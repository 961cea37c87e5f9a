"""Keys that an issuer publishes: fetched, rotated, kept while it is down, through a whole gateway."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.settings.load import load
from tests.e2e.identity_world import Answered, KeySite, Upstream, gateway, served, token
from tests.e2e.world import SECRET

ONE, TWO = (rsa.generate_private_key(65537, 2048) for _ in range(2))


def yaml(site: KeySite, more: str = "cache: 200ms, retry: 100ms") -> str:
    return f"""\
identity:
  jwt:
    jwks: {{url: "{site.url}/jwks", {more}}}
    algorithms: [RS256, RS512]
    issuer: https://id.example
    audience: things
"""


async def until(told: Callable[[], Awaitable[Answered]], status: int) -> Answered:
    """Ask until it is answered with ``status``."""
    deadline = time.monotonic() + 10
    while (answer := await told()).status != status:
        assert time.monotonic() < deadline, answer.status
        await asyncio.sleep(0.02)
    return answer


async def test_keys_are_there_before_the_first_token_and_rotate(tmp_path: Path) -> None:
    site, upstream = KeySite(), Upstream()
    site.publish(one=ONE)
    async with served(upstream), served(site), gateway(tmp_path, yaml(site), upstream) as ask:
        answers = await asyncio.gather(*(ask(token(ONE, "one", jti=number)) for number in range(20)))
        assert {answer.payer for answer in answers} == {"user:ann"}
        assert f'weighbridge_jwks_age_seconds{{url="{site.url}/jwks"}}' in await ask.metrics()
        assert 'weighbridge_jwks_fetches_total{result="failed"} 0.0' in await ask.metrics()
        site.publish(one=ONE, two=TWO)
        await until(lambda: ask(token(TWO, "two")), 200)
        old = token(ONE, "one")
        assert (await ask(old)).status == 200
        site.publish(two=TWO)
        # A remembered token asks for no keys; the gateway looks after them by itself.
        await until(lambda: ask(old), 401)
        assert (await ask(token(TWO, "two"))).status == 200
        assert (await ask(token(TWO, "one"))).status == 401


async def test_while_the_issuer_is_down_known_keys_count_and_unknown_ones_do_not(tmp_path: Path) -> None:
    site, upstream = KeySite(), Upstream()
    site.publish(one=ONE)
    async with served(upstream), served(site), gateway(tmp_path, yaml(site), upstream) as ask:
        await until(lambda: ask(token(ONE, "one")), 200)
        site.up = False
        asked = site.asked
        await until(lambda: ask(token(TWO, "two")), 401)
        deadline = time.monotonic() + 10
        while site.asked < asked + 3:
            assert (await ask(token(ONE, "one"))).status == 200
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)


async def test_without_any_key_nobody_knows_and_nobody_pays_until_it_is_back(tmp_path: Path) -> None:
    site, upstream = KeySite(), Upstream()
    site.publish(one=ONE)
    site.up = False
    async with served(upstream), served(site), gateway(tmp_path, yaml(site), upstream) as ask:
        refused = await ask(token(ONE, "one"))
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert (await ask()).payer == "address:127.0.0.1"
        assert len(upstream.arrived) == 1
        site.up = True
        answer = await until(lambda: ask(token(ONE, "one")), 200)
        assert answer.headers["X-RateLimit-Remaining"] == "99"


async def test_strangers_cannot_make_the_gateway_ask_often(tmp_path: Path) -> None:
    site, upstream = KeySite(), Upstream()
    site.publish(one=ONE)
    more = "cache: 1h, retry: 1h"
    async with served(upstream), served(site), gateway(tmp_path, yaml(site, more), upstream) as ask:
        assert (await ask(token(ONE, "one"))).status == 200
        answers = await asyncio.gather(*(ask(token(TWO, f"guess{number}")) for number in range(50)))
        assert {answer.status for answer in answers} == {401}
        assert site.asked == 1


async def test_a_reload_keeps_the_keys_although_the_issuer_is_down(tmp_path: Path) -> None:
    site, upstream = KeySite(), Upstream()
    site.publish(one=ONE)
    async with served(upstream), served(site), gateway(tmp_path, yaml(site, "cache: 1h"), upstream) as ask:
        assert (await ask(token(ONE, "one"))).status == 200
        site.up = False
        config = tmp_path / "gateway.yaml"
        config.write_text(config.read_text().replace("identity:\n", "identity:\n  anonymous: reject\n", 1))
        await ask.gateway.reload(load(config, {"JWT_SECRET": SECRET}))
        assert (await ask()).status == 401
        assert (await ask(token(ONE, "one", jti="new"))).status == 200
        assert site.asked == 1
