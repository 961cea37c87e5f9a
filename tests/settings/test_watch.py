"""Noticing that a file has changed."""

import asyncio
import os
from pathlib import Path

import pytest

from gateway.settings.files import MISSING, digest
from gateway.settings.load import load
from gateway.settings.watch import Watched, watch
from gateway.tasks import Tasks
from tests.settings.conftest import UPSTREAM, Write


class Looker:
    """Looks as often as told; each look is as long after the last as a look ever is."""

    def __init__(self, *paths: Path) -> None:
        self._watched = Watched()
        self._digests = {str(path): digest(path.read_bytes()) if path.exists() else MISSING for path in paths}
        assert self.look() == []

    def look(self, times: int = 1) -> list[str]:
        return [Path(path).name for _ in range(times) for path in self._watched.look(self._digests)]


@pytest.fixture
def file(write: Write) -> Path:
    return write("a: 1", "a.yaml")


def test_what_does_not_change_is_never_reported(file: Path) -> None:
    assert Looker(file).look(times=5) == []


def test_a_change_is_reported_once_when_it_has_settled(file: Path) -> None:
    looker = Looker(file)
    file.write_text("a: 2, half writ")
    assert looker.look() == []
    file.write_text("a: 2, half written is not read")
    assert looker.look() == []
    assert looker.look(times=4) == ["a.yaml"]


def test_a_touch_is_no_change(file: Path) -> None:
    looker = Looker(file)
    os.utime(file, ns=(1, 1))
    assert looker.look(times=4) == []


def test_a_change_of_the_same_size_and_time_by_renaming_is_noticed(file: Path) -> None:
    looker, before = Looker(file), file.stat()
    new = file.with_suffix(".new")
    new.write_text("a: 2")
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.replace(file)
    assert looker.look(times=3) == ["a.yaml"]


def test_a_file_that_goes_and_comes_back_is_two_changes(file: Path) -> None:
    looker, text = Looker(file), file.read_text()
    file.unlink()
    assert looker.look(times=3) == ["a.yaml"]
    file.write_text(text)
    assert looker.look(times=3) == ["a.yaml"]


def test_a_file_that_was_missing_is_awaited(tmp_path: Path) -> None:
    path = tmp_path / "later.yaml"
    looker = Looker(path)
    path.write_text("a: 1")
    assert looker.look(times=3) == ["later.yaml"]


def test_a_change_between_loading_and_the_first_look_is_noticed(file: Path) -> None:
    watched, loaded = Watched(), {str(file): digest(file.read_bytes())}
    file.write_text("a: 2")
    assert watched.look(loaded) == (str(file),)
    assert watched.look(loaded) == ()


async def test_the_watch_calls_until_it_is_cancelled(write: Write) -> None:
    write("rules: []", "rules.yaml")
    source = load(write(UPSTREAM + "include: [rules.yaml]"), {}).source
    seen: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
    tasks = Tasks()
    task = tasks.start(watch(lambda: source.digests, seen.put, interval_s=0.001), "watch")
    changed = write("rules: [{method: GET, path: /a}]", "rules.yaml")
    assert await asyncio.wait_for(seen.get(), 10) == (str(changed),)
    assert not task.done()
    await tasks.close()
    assert task.cancelled()
    assert seen.empty()
