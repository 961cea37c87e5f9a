"""The pages say what the code does, and what the README tells to paste works."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from gateway.api.reference import with_table
from gateway.demo.backend import Backend
from gateway.demo.data import ACME, ALICE
from tests.e2e.served import configure, served
from tests.e2e.world import PLANS, SECRET

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "billing-api.md"
SELL = re.compile(r"## Sell plans\n.*?```sh\n(.*?)```", re.DOTALL)
PASSWORD = "a password of the tests"


def test_the_page_has_every_route() -> None:
    assert with_table(PAGE.read_text()) == PAGE.read_text(), "python -m gateway.api.reference docs/billing-api.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to paste into")
async def test_what_the_readme_says_makes_a_plan_and_the_next_request_is_charged_to_it(tmp_path: Path) -> None:
    found = SELL.search((ROOT / "README.md").read_text())
    assert found is not None
    backend = Backend(jwt_secret=SECRET)
    configure(tmp_path, await backend.start(), PLANS)
    try:
        async with served(tmp_path, env={"WEIGHBRIDGE_ADMIN_PASSWORD": PASSWORD}) as here:
            script = found[1].replace("http://127.0.0.1:8080", here.url)
            said = {"TOKEN": backend.token(ALICE), "USER_ID": ALICE.id, "WORKSPACE": ACME.id}
            run = await asyncio.create_subprocess_exec(
                "sh",
                "-eu",
                "-c",
                script,
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "WEIGHBRIDGE_ADMIN_PASSWORD": PASSWORD, **said},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await asyncio.wait_for(run.communicate(), 60)
    finally:
        await backend.close()
    assert run.returncode == 0, err.decode()
    answer = out.decode()
    assert '"status":"active"' in answer
    for field in ("X-RateLimit-Limit: 5000", "X-RateLimit-Remaining: 4999", "X-RateLimit-Scope: workspace"):
        assert field in answer, answer
