import asyncio
from pathlib import Path

from gateway.metrics import INSTRUMENTS, Metrics
from gateway.workers.numbers import HIGHEST, summed, texts_of


def metrics(requests: int, failing: int) -> bytes:
    made = Metrics()
    made.requests["GET /x", "charged", "200"] += requests
    made.request_duration.observe_us(3_000 * requests)
    made.sample("ledger_failing", lambda: {(): failing})
    made.sample("ledger_scopes", lambda: {(): 10})
    return made.text()


def test_what_counts_is_added_up_and_what_says_how_something_is_counts_at_its_highest() -> None:
    lines = summed([metrics(2, 0), metrics(3, 1)]).decode().splitlines()
    for line in (
        'weighbridge_requests_total{outcome="charged",rule="GET /x",status="200"} 5.0',
        'weighbridge_request_duration_seconds_bucket{le="0.01"} 2.0',
        "weighbridge_ledger_failing 1.0",
        "weighbridge_ledger_scopes 20.0",
    ):
        assert line in lines
    assert len([line for line in lines if line.startswith("# TYPE weighbridge_requests")]) == 1


def test_the_numbers_of_one_are_what_it_says() -> None:
    alone = metrics(2, 1)
    assert summed([alone]) == alone


def test_what_counts_at_its_highest_are_instruments() -> None:
    gauges = {f"weighbridge_{each.name}" for each in INSTRUMENTS if each.kind == "gauge"}
    assert gauges >= HIGHEST
    assert {name for name in gauges if name.endswith(("_failing", "_expires_seconds"))} <= HIGHEST


async def sibling(socket: Path, says: bytes) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + says)
        writer.close()

    socket.unlink(missing_ok=True)
    return await asyncio.start_unix_server(answer, socket)


async def test_what_a_worker_has_counted_is_not_forgotten_when_it_is_silent_or_dead(tmp_path: Path) -> None:
    one, two = tmp_path / "1.sock", tmp_path / "2.sock"

    async def told(asked: Path, said: bytes, other: Path) -> list[str]:
        return summed([said, *await texts_of(asked, said, [other])]).decode().splitlines()

    def requests(number: float) -> str:
        return f'weighbridge_requests_total{{outcome="charged",rule="GET /x",status="200"}} {number}'

    first = await sibling(one, metrics(2, 0))
    second = await sibling(two, metrics(3, 1))
    assert requests(5.0) in await told(one, metrics(2, 0), two)
    second.close()
    await second.wait_closed()
    lines = await told(one, metrics(4, 0), two)
    assert requests(7.0) in lines
    assert "weighbridge_ledger_failing 0.0" in lines, "how it was with the silent one says nothing any more"
    assert "weighbridge_ledger_scopes 10.0" in lines
    second = await sibling(two, metrics(1, 0))
    assert requests(8.0) in await told(one, metrics(4, 0), two), "what the dead one counted, and its successor"
    first.close()
    assert requests(9.0) in await told(two, metrics(2, 0), one), "whoever is asked"
    second.close()


async def test_however_many_have_died_one_file_has_what_they_counted(tmp_path: Path) -> None:
    one, two = tmp_path / "1.sock", tmp_path / "2.sock"
    one.touch()
    for _ in range(5):
        server = await sibling(two, metrics(2, 0))
        await texts_of(one, metrics(1, 0), [two])
        server.close()
        await server.wait_closed()
    two.unlink()
    at_once = await asyncio.gather(*(texts_of(one, metrics(1, 0), [two]) for _ in range(4)))
    told = [summed([metrics(1, 0), *each]).decode() for each in at_once]
    assert all('requests_total{outcome="charged",rule="GET /x",status="200"} 11.0' in each for each in told)
    assert len(list(tmp_path.glob("*.last"))) == 2, "the one that lives, and the dead"


async def test_a_full_disk_does_not_keep_the_numbers_of_the_living_from_being_told(tmp_path: Path) -> None:
    one, two = tmp_path / "1.sock", tmp_path / "2.sock"
    one.touch()
    server = await sibling(two, metrics(2, 0))
    for socket in (one, two):
        (tmp_path / f"{socket.stem}-{socket.stat().st_ctime_ns}.new").symlink_to("/dev/full")
    before = set(tmp_path.iterdir())
    told = summed([metrics(1, 0), *await texts_of(one, metrics(1, 0), [two])]).decode()
    assert 'requests_total{outcome="charged",rule="GET /x",status="200"} 3.0' in told
    assert {path.name for path in tmp_path.iterdir()} - {path.name for path in before} == {"last.lock"}
    server.close()
