"""Run every test of ``ansible-test sanity`` on the collection, where its own downloads cannot be had.

ansible-test makes a virtual environment for each test and fetches a script from the network to put pip into it; all
else comes from the package index. A script of that name which is there already is used, so one is put there: it lets
the pip that runs here do the installing. A home of its own keeps this out of the user's; it shares that one's settings
and cache of pip.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COLLECTION = ROOT / "collections/ansible_collections/labrig/core"
HOME = ROOT / ".cache/sanity"

# ansible-test asks for a pip without setuptools and wheel in the words of the script that it would have fetched.
INSTALL_PIP = """
import subprocess, sys
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([{python!r}, "-m", "pip", "--python", sys.executable, "install", "--quiet", *wanted]))
"""


def pip_version() -> str:
    """Return the version of pip that this ansible-test asks for, which is part of the script's name."""
    package = importlib.util.find_spec("ansible_test")
    if package is None or package.origin is None:
        sys.exit("ansible-test is not installed: script/bootstrap venv")
    source = Path(package.origin).parent / "_internal/python_requirements.py"
    found = re.search(r"\bpip='([0-9.]+)'", source.read_text())
    if found is None:
        sys.exit(f"{source} does not say which pip it wants: this ansible-test is another than the tested one")
    return found[1]


def main() -> int:
    """Run the tests; arguments go on to ``ansible-test sanity``, for example ``--test validate-modules``."""
    script = HOME / f".ansible/test/cache/get_pip_{pip_version().replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(INSTALL_PIP.format(python=sys.executable))
    for kept in (".config/pip", ".cache/pip"):
        link = HOME / kept
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(Path.home() / kept)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [
        str(Path(sys.executable).parent / "ansible-test"),
        "sanity",
        "--local",
        "--python",
        python,
        *sys.argv[1:],
    ]
    return subprocess.run(command, cwd=COLLECTION, env=os.environ | {"HOME": str(HOME)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
