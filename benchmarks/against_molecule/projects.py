"""The projects that are measured: copies in a folder of their own, with a production and a change that is proven."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "benchmarks" / "scenarios"
EDGE = "collections/ansible_collections/labrig/core/roles/edge"
IDENTITY = {
    f"GIT_{who}_{what}": said
    for who in ("AUTHOR", "COMMITTER")
    for what, said in {"NAME": "benchmark", "EMAIL": "benchmark@localhost"}.items()
}


@dataclass(frozen=True)
class Kind:
    """A scenario of the benchmark.

    Attributes:
        says: What it is, for tables.
        machines: How many machines plain Molecule deploys to, and labrig.
        role_file: A file of the role that a change touches.
        test_file: A file of its tests.
    """

    name: str
    says: str
    machines: tuple[int, int]
    role_file: str
    test_file: str


def _own(name: str, says: str, test: str, machines: tuple[int, int] = (2, 2)) -> Kind:
    return Kind(name, says, machines, "defaults/main.yml", f"molecule/default/tests/{test}")


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("edge", "role edge", (2, 2), f"{EDGE}/templates/default_server.conf.j2", "tests/testinfra/test_edge.py"),
        _own("services", "7 services", "test_services.py"),
        _own("many_tasks", "200 tasks", "test_tasks.py"),
        _own("assertions", "300 Testinfra assertions", "test_files.py"),
        _own("machines", "3 machines", "test_machines.py", (3, 6)),
    )
}


class Project:
    """One of them, in a git repository of its own, on a branch with one change."""

    def __init__(self, kind: Kind, parent: Path) -> None:
        self.kind = kind
        self.folder = parent / kind.name
        self._changes = 0
        if kind.name == "edge":
            self._git("clone", "--quiet", "--local", str(ROOT), str(self.folder), cwd=parent)
            self._git("checkout", "--quiet", "-B", "main")
            self._git("remote", "remove", "origin")
            self._own_production()
        else:
            shutil.copytree(SCENARIOS / kind.name, self.folder)
            self._git("init", "--quiet", "--initial-branch=main")
            self._commit("Production")
        self._git("checkout", "--quiet", "-b", "change")
        self.change_role()
        self._commit("The change")

    def change_role(self) -> None:
        """Change one file of the role, to something that it never was."""
        self._change(self.kind.role_file)

    def change_test(self) -> None:
        """Change one file of the tests alone, to something that it never was."""
        self._change(self.kind.test_file)

    def restore(self) -> None:
        """Take all changes back but the one that was committed."""
        self._git("checkout", "--quiet", "--", ".")

    def _own_production(self) -> None:
        """Name production's image otherwise than the repository does, and do not count that it is looked for."""
        file = self.folder / "molecule/default/molecule.yml"
        text = file.read_text(encoding="utf-8").replace("labrig/production/edge", "labrig/production/benchmark-edge")
        file.write_text(text.replace("labrig snapshot build --scenario default", '"true"'), encoding="utf-8")
        self._commit("Production's image is this benchmark's own")

    def _change(self, name: str) -> None:
        self._changes += 1
        file = self.folder / name
        text = file.read_text(encoding="utf-8")
        # The release is what the role writes to its files; a remark changes a template as well.
        changed = re.sub(r"(?m)(_release:) .*$", rf"\1 number {self._changes}", text)
        file.write_text(changed if changed != text else f"{text}# Change {self._changes}\n", encoding="utf-8")

    def _commit(self, message: str) -> None:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)

    def _git(self, *words: str, cwd: Path | None = None) -> None:
        subprocess.run(["git", *words], cwd=cwd or self.folder, env={**os.environ, **IDENTITY}, check=True)
