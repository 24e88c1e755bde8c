"""What a person, and a program, is told of an order that is carried out, or that failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labrig.cli.experiment_board import shown
from labrig.errors import ExitCode
from labrig.experiments import ordering, steps
from labrig.experiments.deploying import Order
from labrig.experiments.failing import StepFailed

SETTINGS = "experiment: {host: lab1, domain: lab.example, app: shop, repository: git@git.example:shop.git}\n"
STEP = steps.RunBeforeStart("b1", "v1")


@pytest.fixture
def order(tmp_path: Path) -> Order:
    (tmp_path / "labrig.yml").write_text(SETTINGS)
    return ordering.order(tmp_path, "login")


def failed() -> StepFailed:
    error = StepFailed(
        STEP, "failed to run it", said=["applying 1", "[red]division by zero"], code=ExitCode.FAILED, hint="look"
    )
    error.left = "what served before is left as it was"
    return error


def test_each_step_is_a_line_and_one_that_failed_is_marked(order: Order, capsys: pytest.CaptureFixture[str]) -> None:
    with shown(order, None) as watched:
        watched.watcher.began(STEP)
        watched.watcher.said("applying 1\napplying 2\n", is_error=False)
        watched.watcher.failed(STEP)
    lines = [line.partition("] ")[2] or line for line in capsys.readouterr().err.splitlines()]
    assert lines == [str(STEP), "    applying 1", "    applying 2", f"✗ {STEP}"]


def test_of_a_failure_the_last_words_are_shown_as_they_are_and_what_is_left(
    order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StepFailed), shown(order, None):
        raise failed()
    assert capsys.readouterr().err.splitlines() == [
        "the last that was written there:",
        "  | applying 1",
        "  | [red]division by zero",
        "what served before is left as it was",
    ]


def test_a_program_is_told_the_same(order: Order, tmp_path: Path) -> None:
    with pytest.raises(StepFailed), shown(order, tmp_path / "told.json"):
        raise failed()
    assert json.loads((tmp_path / "told.json").read_text()) == {
        "app": "shop",
        "name": "login",
        "error": "failed to run it",
        "hint": "look",
        "step": str(STEP),
        "said": ["applying 1", "[red]division by zero"],
        "left": "what served before is left as it was",
    }
