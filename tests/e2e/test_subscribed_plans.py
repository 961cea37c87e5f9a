"""A process whose configuration loses a plan that somebody has goes on as it was, and says why."""

from pathlib import Path

from gateway.demo.backend import Backend
from gateway.demo.data import ALICE
from gateway.store import subscriptions
from gateway.store.open import open_store
from tests.databases.fixtures import migrated_database, migrated_file, postgresql, store_url
from tests.e2e.selling import CONFIG, by, sold
from tests.e2e.served import configure, served
from tests.e2e.world import SECRET

__all__ = ["migrated_database", "migrated_file", "postgresql", "store_url"]

TEAM = "  - {slug: team, name: Team, throughput_limit: 50, window_seconds: 3600}\n"


async def test_a_reload_that_would_take_a_plan_from_its_subscribers_is_refused(tmp_path: Path, store_url: str) -> None:
    store = await open_store(store_url)
    held = await subscriptions.create(store, sold("team"), by())
    backend = Backend(jwt_secret=SECRET)
    try:
        config = configure(tmp_path, await backend.start(), CONFIG.format(url=store_url))
        text = config.read_text()
        assert TEAM in text
        async with served(tmp_path) as here:
            token = backend.token(ALICE)

            async def limit() -> str:
                return (await here.ask("/user/me", token)).headers["X-RateLimit-Limit"]

            assert await limit() == "50"
            config.write_text(text.replace(TEAM, "").replace("throughput_limit: 10", "throughput_limit: 11"))
            refused = await here.reload()
            assert refused["event"] == "reload refused, the old configuration goes on"
            assert "there are subscriptions to 'team'" in str(refused)
            assert await limit() == "50"
            config.write_text(text.replace("throughput_limit: 50", "throughput_limit: 60"))
            assert (await here.reload())["event"] == "reloaded"
            assert await limit() == "60"
            await subscriptions.cancel(store, held.id, by())
            config.write_text(text.replace(TEAM, ""))
            assert (await here.reload())["event"] == "reloaded", "nobody has it any more"
            assert await limit() == "10"
    finally:
        await backend.close()
        await store.close()
