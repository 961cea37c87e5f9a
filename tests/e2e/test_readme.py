"""The README's commands, run as they stand there: ``make run`` with what it prints, and the way to one's own API."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import pytest

from gateway.clock import now_us
from gateway.demo.backend import Backend
from gateway.demo.data import ALICE
from tests.e2e.served import PATIENCE_S, PROGRAM, environment, served
from tests.e2e.shapes import unused_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(sh|yaml)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
START, *WAY_IN = [block for kind, block in BLOCKS if kind == "sh"]
(CONFIG,) = [block for kind, block in BLOCKS if kind == "yaml"]
COMMANDS = [line.removeprefix(".venv/bin/") for line in WAY_IN[0].splitlines() if "weighbridge" in line]
SECRET = "the secret your API signs its tokens with"

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the commands to paste need curl")


@asynccontextmanager
async def running(folder: Path, *argv: str) -> AsyncIterator[Process]:
    """``weighbridge`` in ``folder``; killed at the end if it still lives."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM, *argv, cwd=folder, env=environment(), stdout=PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def printed(process: Process, last: str) -> list[str]:
    """The lines that it prints, to the one that begins with ``last`` and the empty one behind what belongs to it."""
    assert process.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        while not (any(line.startswith(last) for line in lines) and not lines[-1]):
            line = await process.stdout.readline()
            assert line, lines
            lines.append(line.decode().rstrip("\n"))
    return lines


async def pasted(*lines: str) -> str:
    """What a shell says to these lines."""
    process = await asyncio.create_subprocess_exec("bash", "-e", "-c", "\n".join(lines), stdout=PIPE, stderr=PIPE)
    out, errors = await asyncio.wait_for(process.communicate(), 2 * PATIENCE_S)
    assert (process.returncode, errors.decode()) == (0, "")
    return out.decode()


async def test_make_run_shows_a_metered_answer_the_cascade_and_a_429(tmp_path: Path) -> None:
    assert START.split() == ["make", "run"]
    assert re.search(r"^run: .*\n\t@\$\(BIN\)/weighbridge demo$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    async with running(tmp_path, "demo", "--port", str(unused_port())) as demo:
        lines = await printed(demo, "3.")
        exports = [line for line in lines if line.startswith("export ")]
        metered, cascade, refused = [line for line in lines if line.startswith(("curl ", "for "))]
        assert [line.split("=")[0] for line in exports] == ["export ALICE", "export BOB"]
        answer = await pasted(*exports, metered)
        assert answer.startswith("HTTP/1.1 200 OK\r\n")
        assert "X-Weighbridge-Cost: 1\r\n" in answer
        assert "X-RateLimit-Scope: workspace\r\n" in answer
        answers = await pasted(*exports, cascade)
        payers = re.findall(r"^X-RateLimit-Scope: (\w+)", answers, re.MULTILINE)
        assert (payers[0], payers[-1], answers.count("HTTP/1.1 201")) == ("workspace", "user", 3)
        told = await pasted(*exports, refused)
        if "429" not in told.split()[:-1]:  # a window has ended in the middle: there is not another end so soon
            told = await pasted(*exports, refused)
        assert re.match(r"(200 )+(429 )+\{\"context\":\"billing\"", told), told
        demo.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(demo.wait(), PATIENCE_S) == 0
    assert list(tmp_path.iterdir()) == []


async def test_a_port_that_is_taken_is_named_and_the_demo_ends(tmp_path: Path) -> None:
    async with running(tmp_path, "demo", "--port", str(unused_port())) as first:
        url = re.findall(r"http://\S+", (await printed(first, "3."))[0])[0]
        port = url.rpartition(":")[2]
        async with running(tmp_path, "demo", "--port", port) as second:
            out, _ = await asyncio.wait_for(second.communicate(), PATIENCE_S)
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in out.decode()
    assert "Traceback" not in out.decode()


async def test_the_way_in_front_of_ones_own_api_is_as_it_says(tmp_path: Path) -> None:
    assert f'export JWT_SECRET="{SECRET}"' in WAY_IN[0].splitlines()
    backend = Backend(jwt_secret=SECRET)
    (tmp_path / "gateway.yaml").write_text("# served() reads another")
    file = tmp_path / shlex.split(COMMANDS[0])[-1]
    upstream = await backend.start()
    file.write_text(CONFIG.replace("http://127.0.0.1:9000", upstream) + "listen: 127.0.0.1:0\n")
    assert file.read_text() != CONFIG
    check, explain, serve = [shlex.split(command)[1:] for command in COMMANDS]
    try:
        for argv, said in ((check, "good. 1 plans, 2 rules, "), (explain, "POST /message/*")):
            env = {"JWT_SECRET": SECRET}
            process = await asyncio.create_subprocess_exec(
                PROGRAM, *argv, cwd=tmp_path, env={**os.environ, **env}, stdout=PIPE, stderr=PIPE
            )
            out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
            assert process.returncode == 0
            assert said in out.decode()
        assert re.search(r"^weight +5", out.decode(), re.MULTILINE)
        async with served(tmp_path, command=(PROGRAM, *serve), env={"JWT_SECRET": SECRET}) as here:
            token = jwt.encode({"sub": ALICE.id, "exp": now_us() // 1_000_000 + 60}, SECRET, "HS256")
            answer = await here.ask("/user/me", token)
            assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (200, "99")
            answer = await here.ask("/message/whatsapp", token, method="POST")
            assert answer.headers["X-Weighbridge-Cost"] == "5"
            assert (await here.ask("/user/me", "nonsense")).status == 401
    finally:
        await backend.close()


def test_every_make_is_one_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {line.removeprefix("make ") for block in WAY_IN for line in block.splitlines() if line.startswith("make ")}
    assert {"setup", "test", "check"} <= named <= targets


def test_every_file_that_is_linked_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_a_newcomer_is_told_how_to_run_a_part_of_the_tests() -> None:
    (command,) = re.findall(r"`\.venv/bin/python -m (pytest [^`]+)`", README)
    _, folder, _, word = shlex.split(command)
    assert [path for path in (ROOT / folder).iterdir() if word in path.name]
    assert sys.version_info >= (3, 11)
