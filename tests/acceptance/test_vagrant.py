"""The Vagrantfile: both machines come up, are deployed to, answer, and go without a trace."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
MACHINES = ("fresh", "production")
ASK_SPLASH_PAGE = "import urllib.request; print(urllib.request.urlopen('http://localhost/', timeout=10).status)"


def run(*command, env=None):
    said = ""
    for _ in range(2):
        done = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True, timeout=900)
        said += done.stdout
        # Vagrant looks at every container of the engine in turn, and another test's may have gone meanwhile.
        if "No such object" not in done.stderr:
            break
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{said}\n{done.stderr}"
    return said


@pytest.fixture
def vagrant(tmp_path):
    if shutil.which("vagrant") is None:
        missing = "vagrant is not installed: script/bootstrap vagrant"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    run(str(BIN / "labrig"), "snapshot", "build", "--if-missing", "--scenario", "default")
    # State of its own, so that machines which somebody has up stay what they are.
    own = {"VAGRANT_DOTFILE_PATH": str(tmp_path / "state"), "VAGRANT_HOME": str(tmp_path / "home")}
    env = os.environ | own | {"NO_COLOR": "1"}

    def command(*words):
        return run("vagrant", *words, env=env)

    yield command
    subprocess.run(["vagrant", "destroy", "-f"], cwd=ROOT, env=env, check=False, capture_output=True, timeout=300)


def test_machines_come_up_answer_and_go_without_a_trace(vagrant, tmp_path):
    said = vagrant("up")

    recaps = dict(re.findall(r"^(\w+) +: ok=\d+ .* failed=(\d+) ", said, re.MULTILINE))
    assert recaps == dict.fromkeys(MACHINES, "0"), said

    containers = {name: (tmp_path / "state/machines" / name / "docker/id").read_text() for name in MACHINES}
    for name, container in containers.items():
        assert run("docker", "exec", container, "python3", "-c", ASK_SPLASH_PAGE).strip() == "200", name
        assert run("docker", "inspect", "-f", "{{.HostConfig.Privileged}}", container).strip() == "false", name

    vagrant("destroy", "-f")

    left = run("docker", "ps", "--all", "--quiet", "--no-trunc").split()
    assert not set(containers.values()) & set(left)
