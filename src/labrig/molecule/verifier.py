"""The verifier: the scenario's tests, whether a second deployment changes nothing, and whether machines are alike."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molecule.exceptions import ScenarioFailureError
from molecule.reporting.definitions import CompletionState
from molecule.verifier.testinfra import Testinfra

from labrig import clock
from labrig.errors import LabrigError, UsageError
from labrig.molecule import answers, names
from labrig.prove.verification import IDEMPOTENCE, SAME_STATE

if TYPE_CHECKING:
    from molecule.config import Config
    from molecule.verifier.base import Schema

    from labrig.molecule.answers import Answer

names.make_known()


class Labrig(Testinfra):
    """Answers ``idempotent`` and ``same-state`` as a proof does, beside the tests of the scenario.

    ``options`` are those of Testinfra, and two of its own: ``idempotence: false`` leaves out the second deployment,
    ``same-state: [a, b]`` names machines that have to be in the same state, ``same-state: []`` none. Without it these
    are the platforms ``fresh`` and ``production``, where a scenario has both.
    """

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        """The verifier's name."""
        return names.NAME

    @property
    def options(self) -> MutableMapping[str, str | bool]:
        """The options of Testinfra."""
        return {key: value for key, value in super().options.items() if key not in (IDEMPOTENCE, SAME_STATE)}

    def schema(self) -> Schema:
        """Return the schema of the name."""
        return {"verifier": {"type": "dict", "schema": {"name": {"type": "string", "allowed": [names.NAME]}}}}

    def execute(self, action_args: list[str] | None = None) -> None:
        """Answer all questions, although one of the answers is no.

        Raises:
            ScenarioFailureError: One of them is no, or cannot be found out.
        """
        if not self.enabled:
            super().execute(action_args)
            return
        failed = self._passed_tests(action_args)
        try:
            said = self._looked()
        except LabrigError as error:
            raise ScenarioFailureError(error.message + (f" ({error.hint})" if error.hint else "")) from error
        for answer in said:
            self._tell(answer)
        failed += [f"{answer.question}: {answer.reason}" for answer in said if not answer.passed]
        if failed:
            note = "; ".join(failed)
            self._config.scenario.results.add_completion(CompletionState.failed(note=note))
            raise ScenarioFailureError(message=f"Not verified. {note}")

    def _passed_tests(self, action_args: list[str] | None) -> list[str]:
        """Run verify.yml and the Testinfra files, where the scenario has them; return what failed."""
        failed = []
        provisioner = self._config.provisioner
        if provisioner is not None and provisioner.playbooks.verify and not action_args:
            try:
                provisioner.verify()
            except ScenarioFailureError:
                failed.append(f"tests: {Path(provisioner.playbooks.verify).name} failed")
        try:
            super().execute(action_args)
        except ScenarioFailureError:
            failed.append("tests: Testinfra found failures")
        return failed

    def _looked(self) -> list[Answer]:
        from labrig.molecule.looking import Looking  # noqa: PLC0415  # Docker's library, where it is needed
        from labrig.prove import allowed, configuration  # noqa: PLC0415

        own: MutableMapping[str, Any] = self._config.config_data["verifier"]["options"]
        present = [str(one["name"]) for one in self._config.platforms.instances]
        compared = answers.compared_machines(own.get(SAME_STATE), present)
        _check(compared, present)
        again = bool(own.get(IDEMPOTENCE, True))
        if not again and not compared:
            return []
        if not self._config.state.converged:
            raise UsageError("nothing is deployed", hint="run `molecule converge` first")
        project = Path(self._config.project_directory)
        allowances = allowed.holding(configuration.read(project).allowed, clock.now().date())
        looking = Looking(self._config)
        before = looking.states()
        found = []
        if again:
            run = looking.deploy_again()
            found.append(answers.idempotent(run, before, looking.states(), allowances))
        if compared:
            found.append(answers.same_state(before, compared, allowances))
        return found

    def _tell(self, answer: Answer) -> None:
        lines = "".join(f"\n    {line}" for line in answer.lines)
        if answer.passed:
            self._log.info("%s: %s", answer.question, answer.reason)
        else:
            self._log.error("%s: %s%s", answer.question, answer.reason, lines)


def _check(compared: tuple[str, ...], present: list[str]) -> None:
    where = f"verifier.options.{SAME_STATE}"
    for name in compared:
        if name not in present:
            raise UsageError(f"{where}: there is no platform {name!r}", hint=f"there are: {', '.join(present)}")
    if len(compared) == 1:
        raise UsageError(f"{where}: expected two or more platforms, found one")
