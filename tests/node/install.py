"""Programs from npm that only tests run, by the lock beside this file. Brings Node.js along where there is none.

python tests/node/install.py
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "admin_ui"))

from libraries import with_node  # type: ignore[import-not-found]  # noqa: E402  (the pages' own way to Node.js)

if __name__ == "__main__":
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(install, cwd=HERE, env=with_node(), check=False)
    if done.returncode != 0:
        sys.exit(f"the packages of tests/node/package-lock.json cannot be installed (exit {done.returncode})")
