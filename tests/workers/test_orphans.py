from pathlib import Path

from click.testing import CliRunner

from gateway.cli import main
from gateway.workers.orphans import orphans, warning


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(b"")
    return folder / "ledger.db"


def test_journals_of_workers_that_are_no_more_are_found(tmp_path: Path) -> None:
    journal = files(
        tmp_path,
        *(f"ledger-worker{number}.db" for number in (1, 2, 3, 12)),
        "ledger-worker3.db-wal",
        "ledger-worker3.db.epoch",
        "other-worker3.db",
        "ledger-worker03.db",
    )
    assert [path.name for path in orphans(journal, 2)] == ["ledger-worker12.db", "ledger-worker3.db"]
    assert orphans(journal, 12) == []
    assert orphans(tmp_path / "nowhere" / "ledger.db", 2) == []


def test_the_journal_of_one_process_is_none_of_the_workers_and_the_other_way_round(tmp_path: Path) -> None:
    journal = files(tmp_path, "ledger.db", "ledger-worker1.db")
    assert [path.name for path in orphans(journal, 2)] == ["ledger.db"]
    assert [path.name for path in orphans(journal, 1)] == ["ledger-worker1.db"]


def test_what_helps_is_said(tmp_path: Path) -> None:
    journal = files(tmp_path, "ledger-worker3.db", "ledger-worker4.db")
    said = warning(journal, 2)
    assert said is not None
    assert said.startswith(f"ledger-worker3.db, ledger-worker4.db in {tmp_path}: with `workers: 2`")
    assert "Run once with `workers: 4`" in said
    assert "Run once with `workers: 1`" in (warning(files(tmp_path, "ledger.db"), 4) or "")
    assert warning(tmp_path / "fresh.db", 1) is None


def test_check_says_it(tmp_path: Path) -> None:
    journal, config = files(tmp_path, "ledger-worker3.db"), tmp_path / "gateway.yaml"
    config.write_text(
        'upstream: {url: "http://127.0.0.1:9"}\nstore: null\nworkers: 2\n'
        f'ledger: {{url: "redis://localhost", journal: "sqlite:///{journal}"}}\n'
    )
    told = CliRunner().invoke(main, ["check", "--config", str(config)])
    assert (told.exit_code, "warning: ledger-worker3.db in" in told.output) == (0, True)
