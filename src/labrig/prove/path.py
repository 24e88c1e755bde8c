"""Taking one path: from a machine that boots to the answers of its four checks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path

from labrig import clock
from labrig.ansible import playbook, requirements, workspace
from labrig.ansible.events import Ended, Event, Started
from labrig.ansible.playbook import PlaybookRun
from labrig.ansible.reads import Reads
from labrig.ansible.workspace import Workspace
from labrig.engine.client import START_ENGINE, is_answering
from labrig.engine.machines import Machine
from labrig.errors import EnvironmentFailed
from labrig.prove import archives, checks, platforms, verification
from labrig.prove.attribution import Entries, On, Watched
from labrig.prove.failures import environment_failure
from labrig.prove.outcome import Looked, Outcome, Start, States, Terms, Wanted
from labrig.prove.run import Run, Say
from labrig.prove.verdict import Check, CheckName, Finding, Ignored, Ran
from labrig.prove.watching import Watcher
from labrig.session.served import Served, busy
from labrig.state import capture
from labrig.state.model import State
from labrig.state.secrets import masked

STEPS = {"prepare": "prepare", "converge": "deploy"}
"""What a step is called that runs one of a scenario's playbooks."""


class PathTaken:
    """One path while it is taken."""

    def __init__(self, run: Run, terms: Terms, start: Start, say: Say, on_check: Callable[[Check], None]) -> None:
        self._run = run
        self._terms = terms
        self._start = start
        self._name = start.name
        self._say = say
        self._on_check = on_check
        self._checks: list[Check] = []
        self._logs: dict[str, Path] = {}
        self._machines: list[Machine] = []
        self._memories: dict[str, capture.Memory] = {}
        self._steps: list[tuple[str, float]] = []
        self._ran: list[Ran] = []
        self._tasks: list[Ended] = []
        self._reads: dict[str, Reads] = {}
        self._served: list[Served] = []
        self._tested = 0.0
        self._deadline = clock.monotonic() + terms.timeout

    def take(self) -> Outcome:
        """Take the path from its start to its end.

        Raises:
            EnvironmentFailed: The surroundings failed, so that nothing can be said of the change.
        """
        space = self._boot()
        first, stopped = self._deployment(space)
        if stopped:
            return self._stop(stopped)
        deployed = self._capture()

        second = self._play(space, "deploy-again", self._terms.scenario.playbooks["converge"], again=True)
        again = self._capture()
        idempotent, findings, ignored = checks.idempotent(
            self._name, second, deployed, again, self._terms.timeout, allowances=self._terms.allowed
        )
        self._answer(idempotent)

        verified = self._verify(space)
        # Tests may leave something; a restart is not to blame for that.
        tested = again if verified.result == "skip" else self._capture()
        if self._terms.restart:
            survived, lost, more = self._survives_restart(tested)
            self._answer(survived)
            findings += lost
            ignored += more
        else:
            self._answer(Check("survives-restart", self._name, "skip", "left out as asked"))
        looked = self._looked(space, again, tested)
        self._step("done")
        return Outcome(
            self._name,
            tuple(self._checks),
            deployed,
            findings,
            ignored,
            first.tasks,
            self._logs,
            self._times(),
            self,
            looked,
        )

    def verify_again(self, known: States, answered: Mapping[CheckName, Check]) -> Outcome | None:
        """Take the path from machines that were deployed before, of which only the tests are to be run.

        Args:
            known: The states that the machines must have.
            answered: What was answered of them before, by the checks' names.

        Returns:
            What came of it; None where the machines are not what they were.
        """
        space = self._boot()
        settled = self._capture()
        if not checks.alike(known, settled):
            return None
        for name in ("deploys", "idempotent"):
            self._answer(answered[name])
        verified = self._verify(space)
        tested = settled if verified.result == "skip" else self._capture()
        findings: tuple[Finding, ...] = ()
        ignored: tuple[Ignored, ...] = ()
        looked = self._looked(space, known, tested)
        if looked.untouched:
            # What a restart does to these machines is known.
            self._answer(answered["survives-restart"])
        elif self._terms.restart:
            survived, findings, ignored = self._survives_restart(tested)
            self._answer(survived)
        else:
            self._answer(Check("survives-restart", self._name, "skip", "left out as asked"))
        self._step("done")
        return Outcome(
            self._name, tuple(self._checks), known, findings, ignored, (), self._logs, self._times(), self, looked
        )

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The machines that the path was taken with."""
        return tuple(self._machines)

    def deploy(self) -> Outcome:
        """Take the path no further than its first deployment; of its checks only ``deploys`` is answered."""
        first, stopped = self._deployment(self._boot())
        deployed = None if stopped else self._capture()
        self._step("done")
        return Outcome(self._name, tuple(self._checks), deployed, (), (), first.tasks, self._logs, self._times())

    def look(self) -> States:
        """Boot the machines and return their states, without deploying anything."""
        self._boot()
        return self._capture()

    def see(self, wanted: Wanted, *, contents: int = 0) -> dict[str, State]:
        """Return what there is now on the machines of a few things only; ``contents`` as for ``capture.look``."""
        return {
            machine.name: capture.look(
                machine.stream,
                wanted[machine.name],
                asked=self._asked(machine),
                python=machine.python(),
                contents=contents,
            )
            for machine in self._machines
            if wanted.get(machine.name)
        }

    def watch(self, on: On, wanted: Wanted, *, again: bool) -> tuple[Watched, Watched | None]:
        """Deploy onto new machines and look, after every task, at a few things only.

        Args:
            on: What the machines are called in the story.
            wanted: What to look at, by machine.
            again: Whether to deploy a second time.

        Returns:
            What was seen during the first deployment, and during the second.

        Raises:
            EnvironmentFailed: The surroundings failed.
        """
        space = self._boot()
        playbooks = self._terms.scenario.playbooks
        names = tuple(machine.name for machine in self._machines if wanted.get(machine.name))

        def see(name: str) -> Entries:
            self._run.check()
            found = self.see({name: wanted[name]})[name]
            if found.unreadable:
                # Else what could not be read would seem to have been removed.
                raise EnvironmentFailed(f"machine {name} could not be read: {masked(str(found.unreadable))}")
            return found.entries

        with Watcher(space.folder / "watch.sock", names, see) as watcher:
            space = dataclasses.replace(space, env={**space.env, **watcher.environment})
            watcher.look()
            steps = ("prepare", "converge") if self._start.prepare else ("converge",)
            ok = all(
                self._play(space, STEPS[step], playbooks[step]).ok and watcher.heard_all()
                for step in steps
                if step in playbooks
            )
            self._settle()
            watcher.look()
            first = Watched(on, watcher.looks(), ok, str(self._terms.scenario.project))
            if not again or not ok:
                return first, None
            watcher.look()
            ok = self._play(space, "deploy-again", playbooks["converge"], again=True).ok and watcher.heard_all()
            self._settle()
            watcher.look()
            return first, Watched(on, watcher.looks(), ok, str(self._terms.scenario.project))

    def remove(self) -> None:
        """Remove the machines."""
        for machine in self._machines:
            machine.remove()
            self._run.machines.remove(machine)
        self._machines = []
        self._memories = {}

    def _boot(self) -> Workspace:
        terms = self._terms
        self._step("boot")
        called = self._start.machines or self._name
        self._machines = self._run.start_machines(terms.scenario.platforms, self._start.images, called)
        for machine in self._machines:
            if machine.name in self._start.mounted:
                machine.restore(self._start.mounted[machine.name])
        containers = {machine.name: machine.container for machine in self._machines}
        folder = self._run.folder / called
        space = workspace.lay_out(terms.scenario, folder, containers, terms.origin, terms.environment)
        requirements.check(space)
        return space

    def _verify(self, space: Workspace) -> Check:
        self._step("verify")
        verified = verification.verify(
            space, self._name, self._run.processes, self._deadline, lambda step, path: self._play(space, step, path)
        )
        self._tested = verification.tests_seconds(space)
        self._answer(verified)
        if (space.folder / verification.LOG).exists():
            self._logs[f"{self._name}-{verification.LOG}"] = space.folder / verification.LOG
        return verified

    def _looked(self, space: Workspace, settled: States, tested: States) -> Looked:
        tests = self._reads.pop("verify", Reads()) | verification.looked_at(space)
        deployment = Reads()
        for one in self._reads.values():
            deployment |= one
        seen = {archive for machine in self._machines for archive in archives.seen(machine)}
        untouched = tested is settled or checks.alike(settled, tested)
        return Looked(deployment, tests, tuple(self._tasks), tuple(seen), settled, untouched)

    def _deployment(self, space: Workspace) -> tuple[PlaybookRun, str]:
        """Prepare and deploy, and answer ``deploys``; return the last run, and why the path ends with it if it does."""
        playbooks = self._terms.scenario.playbooks
        if self._start.prepare and "prepare" in playbooks:
            prepared = self._play(space, "prepare", playbooks["prepare"])
            if not prepared.ok:
                self._answer(checks.deploys(self._name, prepared, self._terms.timeout, "prepare"))
                return prepared, "the machine could not be prepared"
        first = self._play(space, "deploy", playbooks["converge"])
        self._answer(checks.deploys(self._name, first, self._terms.timeout, "deploy"))
        return first, "" if first.ok else "it does not deploy"

    def _play(self, space: Workspace, step: str, playbook_path: Path, *, again: bool = False) -> PlaybookRun:
        def on_event(event: Event) -> None:
            if isinstance(event, Started):
                self._step(step, event.task)

        self._step(step)
        left = max(1.0, self._deadline - clock.monotonic())
        processes = self._run.processes
        with self._run.sessions(space) as broker:
            done = playbook.run(
                space, playbook_path, name=step, processes=processes, timeout=left, again=again, on_event=on_event
            )
        self._served += broker.served if broker else []
        self._logs[f"{self._name}-{step}.log"] = done.log
        self._ran += [self._task_ran(step, task) for task in done.tasks]
        self._reads[step] = self._reads.get(step, Reads()) | done.reads
        self._tasks += done.tasks
        if not done.ok:
            failure = environment_failure(done, space) or self._lost()
            if failure is not None:
                raise failure
        return done

    def _capture(self) -> States:
        self._step("capture")
        self._run.check()
        self._settle()
        return {machine.name: self._captured(machine) for machine in self._machines}

    def _captured(self, machine: Machine) -> State:
        name = machine.name
        # The other path's machine has most files in common with this one: those of the base image.
        memory = self._memories.setdefault(name, capture.Memory(self._run.memories.get(name, "")))
        state = capture.capture(
            machine.stream,
            asked=self._asked(machine, remember=[one for each in self._run.machines for one in each.addresses()]),
            python=machine.python(),
            source=f"the state of machine {name}",
            memory=memory,
        )
        self._run.memories[name] = memory.text
        return state

    def _settle(self) -> None:
        for machine in self._machines:
            machine.settle()

    def _asked(self, machine: Machine, *, remember: Iterable[str] | None = None) -> str:
        """Return what to ask of the probe on a machine: which addresses are its own, and which are the others'."""
        former = {name: mounted.addresses for name, mounted in self._start.mounted.items()}
        owners = platforms.owners({one.name: one.addresses() for one in self._machines}, former)
        own = [address for address, name in owners.items() if name == machine.name]
        others = {address: name for address, name in owners.items() if name != machine.name}
        return capture.request(own_addresses=own, peers=others, key=self._terms.fingerprints, remember=remember)

    def _survives_restart(self, before: States) -> tuple[Check, tuple[Finding, ...], tuple[Ignored, ...]]:
        self._step("restart")
        began = clock.monotonic()
        try:
            for machine in self._machines:
                machine.restart()
        except EnvironmentFailed as error:
            self._run.check()
            if not is_answering(self._run.client):
                raise
            reason = f"a machine does not boot again: {error.message}"
            return Check("survives-restart", self._name, "fail", reason, clock.monotonic() - began), (), ()
        after = self._capture()
        seconds = clock.monotonic() - began
        return checks.survives_restart(self._name, before, after, seconds, allowances=self._terms.allowed)

    def _lost(self) -> EnvironmentFailed | None:
        """Return why nothing can be said of the change if the engine or a machine is gone."""
        self._run.check()
        if not is_answering(self._run.client):
            return EnvironmentFailed("the Docker Engine does not answer any more", hint=START_ENGINE)
        gone = [machine.name for machine in self._machines if not machine.is_running()]
        if gone:
            return EnvironmentFailed(f"machine {gone[0]} has stopped while it was deployed to")
        return None

    def _stop(self, reason: str) -> Outcome:
        for check in checks.skipped(self._name, {check.name for check in self._checks}, reason):
            self._answer(check)
        self._step("done")
        return Outcome(self._name, tuple(self._checks), None, (), (), (), self._logs, self._times())

    def _answer(self, check: Check) -> None:
        self._checks.append(check)
        self._on_check(check)

    def _step(self, step: str, task: str = "") -> None:
        if not task:
            self._steps.append((step, clock.now().timestamp() - self._terms.began))
        self._say(self._name, step, task)

    def _task_ran(self, step: str, task: Ended) -> Ran:
        began = task.began - self._terms.began
        container = next((one.container for one in self._machines if one.name == task.host), "")
        inside = self._inside(began, task.seconds, container)
        return Ran(
            self._name, step, task.host, task.task, task.role, task.path, task.result, began, task.seconds, inside
        )

    def _inside(
        self, began: float, seconds: float, container: str | None = None, *, tests: float = 0.0
    ) -> float | None:
        """Return how long commands and tests ran meanwhile; None where no session did, so that nobody knows."""
        if not self._served:
            return None
        start = began + self._terms.began
        return busy(self._served, start, start + seconds, container) + tests

    def _times(self) -> tuple[Ran, ...]:
        """Return the steps, each lasting until the next one begins, and the tasks, in the order of time."""
        spans = [
            Ran(self._name, step, "", "", None, "", "", began, after - began, inside)
            for (step, began), (_, after) in pairwise(self._steps)
            for inside in [self._inside(began, after - began, tests=self._tested if step == "verify" else 0.0)]
        ]
        return tuple(sorted([*spans, *self._ran], key=lambda one: one.began))
