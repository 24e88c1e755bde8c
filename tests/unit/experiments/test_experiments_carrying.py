"""Steps on a lab host that answers as it is told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network

import pytest

from labrig.experiments import carrying, inspecting, steps
from labrig.experiments.addresses import Addresses
from labrig.experiments.carrying import Carrier
from labrig.experiments.command import Command
from labrig.experiments.deployment import Recorded
from labrig.experiments.failing import StepFailed
from labrig.experiments.kept import Health, Kept
from labrig.experiments.masking import mask
from labrig.experiments.naming import Names
from labrig.experiments.protocol import LATE, REFUSED, Done
from labrig.experiments.record import Record
from labrig.experiments.running import Hear
from labrig.experiments.standing import Container, Standing
from labrig.experiments.steps import Step

KEPT = Kept(host="shop-login.lab.example", health=Health(timeout=0.2, interval=0.05), on_create={"db": "./seed"})
AT = Recorded(
    Names("shop", "login"),
    Record("login", "git", "anna@desk", "2027-01-01", "2027-01-01", kept=KEPT),
    Addresses(IPv4Network("10.213.0.32/27")),
)
WELL = (0, "", "")
STARTED = '"Status": "running", "StartedAt": "2027-01-01T00:00:02.123456789Z"'
RUNNING = f'{{{STARTED}, "FinishedAt": "0001-01-01T00:00:00Z"}}'
AGAIN = f'{{{STARTED}, "FinishedAt": "2027-01-01T00:00:00.123456789Z"}}'
WOKEN = f'{{{STARTED}, "FinishedAt": "2026-12-31T22:00:00.123456789Z"}}'
KILLED = '{"Status": "exited", "ExitCode": 137, "OOMKilled": true, "FinishedAt": "2027-01-01T00:00:00Z"}'
Told = tuple[int, str, str]


@dataclass
class Host:
    """Answers each command by the first words that it has; all others end well."""

    answers: Mapping[str, Told | Callable[[], Told]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    host: str = "lab1"

    def run(self, command: Command, *, seconds: float | None = 0, hear: Hear | None = None) -> Done:
        del seconds
        self.asked.append(str(command))
        told = next((one for words, one in self.answers.items() if str(command).startswith(words)), WELL)
        code, out, err = told() if callable(told) else told
        if hear is not None:
            for text, is_error in ((out, False), (err, True)):
                if text:
                    hear(text, is_error)
        return Done(1, code, out, err)

    def run_all(self, commands: Mapping[str, Command]) -> dict[str, Done]:
        return {name: self.run(one) for name, one in commands.items()}


@dataclass
class Heard:
    said_: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    def began(self, step: Step) -> None:
        self.events.append(f"began {step}")

    def said(self, text: str, *, is_error: bool) -> None:
        del is_error
        self.said_.append(text)

    def ended(self, step: Step, seconds: float) -> None:
        del seconds
        self.events.append(f"ended {step}")

    def failed(self, step: Step) -> None:
        self.events.append(f"failed {step}")


HOOK = steps.RunHook("db", "create", "b1", "v1")
HEALTHY = steps.AwaitHealthy("v1", 0)


def failing(step: Step, answers: Mapping[str, Told | Callable[[], Told]], secrets: tuple[str, ...] = ()) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        Carrier(Host(answers), AT, secrets).carry_out([step])
    return caught.value


def test_steps_are_done_in_order_and_none_after_one_that_failed() -> None:
    heard, host = Heard(), Host({"docker image rm": (1, "", "Error: in use")})
    with pytest.raises(StepFailed):
        Carrier(host, AT, watcher=heard).carry_out(
            [steps.RemoveNetwork(), steps.RemoveImage("b1"), steps.RemoveFolder()]
        )
    assert heard.events == [
        "began remove the network",
        "ended remove the network",
        "began remove image b1",
        "failed remove image b1",
    ]
    assert not any(one.startswith("rm ") for one in host.asked)


def test_what_may_fail_fails_nothing() -> None:
    host = Host({"docker rm": (1, "", "No such container")})
    Carrier(host, AT).carry_out([steps.RemoveContainer("v1")])
    assert [one for one in host.asked if one.startswith("docker rm ")]


@pytest.mark.parametrize(
    ("step", "answers", "code"),
    [
        (HOOK, {"docker run": (1, "", "division by zero")}, 1),
        # Docker itself: no image, no memory, no network.
        (HOOK, {"docker run": (125, "", "docker: Error response")}, 3),
        (HOOK, {"docker run": (1, "", "write: No space left on device")}, 3),
        (HOOK, {"docker run": (REFUSED, "", "not a program")}, 3),
        (steps.RemoveNetwork(), {"docker network": (1, "", "active endpoints")}, 3),
        (HEALTHY, {"curl": (22, "", "curl: (22) 500"), "docker container": (0, RUNNING, "")}, 1),
    ],
)
def test_whose_fault_it_is_decides_the_exit_code(step: Step, answers: Mapping[str, Told], code: int) -> None:
    assert failing(step, answers).exit_code == code


def test_a_command_that_failed_is_told_with_its_last_lines_and_no_secret() -> None:
    lines = "".join(f"line {number}\n" for number in range(50))
    error = failing(HOOK, {"docker run": (3, lines, "psql: hunter2 is no password\n")}, secrets=("hunter2",))
    assert error.message == "failed to run on_create of service db: docker run ended with 3"
    assert len(error.said) == 30
    assert error.said[-2:] == ("line 49", "psql: *** is no password")


def test_a_full_disk_is_called_that() -> None:
    error = failing(HOOK, {"docker run": (125, "", "docker: mkdir: no space left on device")})
    assert "a disk of the lab host is full" in error.message


def test_what_commands_write_is_told_only_who_wants_it_and_without_secrets() -> None:
    for is_loud, expected in ((False, []), (True, ["seeding with ***\n"])):
        heard = Heard()
        host = Host({"docker run": (0, "seeding with hunter2\n", "")})
        Carrier(host, AT, ("hunter2",), heard, is_loud).carry_out([HOOK])
        assert heard.said_ == expected


@dataclass
class InPieces(Host):
    """Writes what it is given piece by piece."""

    pieces: Sequence[tuple[str, bool]] = ()

    def run(self, command: Command, *, seconds: float | None = 0, hear: Hear | None = None) -> Done:
        done = Host.run(self, command, seconds=seconds)
        for text, is_error in self.pieces if hear and str(command).startswith("docker run") else ():
            hear(text, is_error)
        return done


@pytest.mark.parametrize(
    "pieces",
    [
        [("seeding with hun", False), ("ter2\ndone", False)],
        # The other stream breaks in.
        [("seeding with hunter", False), ("a warning\n", True), ("2\ndone", False)],
        [(one, False) for one in "seeding with hunter2\ndone"],
    ],
)
def test_a_secret_that_is_written_in_pieces_is_masked_as_well(pieces: list[tuple[str, bool]]) -> None:
    heard = Heard()
    Carrier(InPieces(pieces=pieces), AT, ("hunter2",), heard, is_loud=True).carry_out([HOOK])
    assert "".join(heard.said_).replace("a warning\n", "") == "seeding with ***\ndone"
    with pytest.raises(StepFailed) as caught:
        Carrier(InPieces({"docker run": (1, "", "")}, pieces=pieces), AT, ("hunter2",)).carry_out([HOOK])
    assert "seeding with ***" in caught.value.said
    assert "ter2" not in "".join(caught.value.said)


def test_a_line_without_an_end_is_told_before_it_ends_and_its_secrets_are_masked() -> None:
    heard = Heard()
    line = "x" * 100_000
    pieces = [(f"{line}hunter", False), (f"2{line}", False)]
    Carrier(InPieces(pieces=pieces), AT, ("hunter2",), heard, is_loud=True).carry_out([HOOK])
    assert "".join(heard.said_) == f"{line}***{line}"
    assert heard.said_[0] == line, "but for what may be the beginning of a secret"


def test_a_wait_asks_again_until_it_is_so() -> None:
    answers = iter([(7, "", "refused"), (22, "", "502"), WELL])
    host = Host({"curl": lambda: next(answers)})
    Carrier(host, AT).carry_out([HEALTHY])
    assert sum(one.startswith("curl") for one in host.asked) == 3


@pytest.mark.parametrize(
    ("state", "words", "hint"),
    [
        (RUNNING, "its container is running", "are port and health in the settings right?"),
        (WOKEN, "its container is running", "are port and health in the settings right?"),
        (AGAIN, "its container is started again and again, since it ends", ""),
        (KILLED, "its container is exited since it had too little memory", ""),
    ],
)
def test_a_wait_that_is_over_tells_the_state_the_last_answer_and_the_log(state: str, words: str, hint: str) -> None:
    logs = (0, "2027-01-01T00:00:01Z listening\n2027-01-01T00:00:03Z hunter2\n", "2027-01-01T00:00:02Z oops\n")
    error = failing(
        HEALTHY,
        {"curl": (22, "", "curl: (22) 500"), "docker container": (0, state, ""), "docker logs": logs},
        secrets=("hunter2",),
    )
    assert error.message.startswith("container v1 does not become healthy: after 0 s")
    assert words in error.message
    assert "curl: (22) 500" in error.message
    assert error.said == ("listening", "oops", "***")
    assert error.hint == hint


def test_how_it_stands_is_told_without_secrets() -> None:
    told = {
        "curl": (22, "", "no: hunter2"),
        "docker container": (0, AGAIN, ""),
        "docker logs": (0, "2027-01-01T00:00:01Z with hunter2\n", ""),
    }
    standing = Standing(routed="v1", containers={"v1": Container(0, running=True)})
    state, reason, logs = inspecting._state(Carrier(Host(told), AT, ("hunter2",)), standing)
    assert state == "does not answer"
    assert reason.endswith("; no: ***")
    assert logs == ("with ***",)


def test_that_the_last_question_was_cut_short_does_not_hide_an_earlier_answer() -> None:
    answers = iter([(22, "", "curl: (22) 500")])
    told = {"curl": lambda: next(answers, (LATE, "", "too long")), "docker container": (0, RUNNING, "")}
    assert "curl: (22) 500" in failing(HEALTHY, told).message


def test_looks_come_quickly_at_first_and_then_as_often_as_the_settings_say() -> None:
    pauses = carrying._every(timedelta(seconds=1).total_seconds())
    assert [next(pauses) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_the_longest_secret_is_masked_first_and_none_that_is_too_short() -> None:
    assert mask("a hunter2-more hunter2 x", ["hunter2", "hunter2-more", "x", ""]) == "a *** *** x"
