"""``labrig prove --all``: every scenario of several projects, one table, one report, one exit code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from labrig.cli import stored
from labrig.cli.board import Board
from labrig.cli.console import words, write_json
from labrig.cli.progress import print_reasons
from labrig.errors import ExitCode
from labrig.prove import junit, overview, room, several
from labrig.prove.meaning import meaning, summary
from labrig.prove.plan import Matrix, plan
from labrig.prove.proof import Options
from labrig.prove.room import Room
from labrig.prove.several import Answer, Answers


@dataclass(frozen=True)
class Outputs:
    """Where the verdicts are written besides the terminal; None is nowhere."""

    json: Path | None
    junit: Path | None
    report: Path | None


def prove_all(
    asked: Options,
    folders: Sequence[Path],
    images: Matrix,
    exclude: Sequence[str],
    jobs: int | None,
    outputs: Outputs,
    *,
    why: bool,
) -> int:
    """Prove every scenario, write and print what came of it, and return the exit code of all."""
    planned = plan(asked, folders, os.environ, images=images, exclude=exclude)
    own = overview.folders(one.name for one in planned)
    pages: dict[str, str] = {}
    with Board(planned) as board:

        def take(answer: Answer) -> None:
            board.answer(answer)
            # At once: only the logs of the last runs are kept.
            if outputs.report is not None:
                name = answer.planned.name
                pages[name] = overview.write_one(answer, outputs.report, own[name])

        space = room.measure() if jobs is None else Room(jobs)
        answers = several.prove(planned, os.environ, space, on_event=board.event, on_answer=take)
    _write(answers, outputs, pages)
    for answer in answers.each:
        if answer.verdict.decision != "proven":
            _tell(answer)
    if why:
        for answer in answers.each:
            if answer.error is None:
                words.print(f"\n{answer.planned.name}:", markup=False)
                stored.print_why(answer.proven)
    words.print()
    words.print(board.table())
    if outputs.report is not None:
        words.print(f"report: {overview.write(answers, outputs.report, pages)}", markup=False)
    words.print(f"{answers.decision}: {summary([answer.verdict for answer in answers.each])}", markup=False)
    return _audited(answers) if asked.audit else answers.exit_code


def _audited(answers: Answers) -> int:
    codes = [answers.exit_code]
    for answer in answers.each:
        if answer.error is None:
            words.print(f"{answer.planned.name}:", markup=False)
            codes.append(stored.print_audit(answer.proven))
    return ExitCode.FAILED if ExitCode.FAILED in codes else answers.exit_code


def _write(answers: Answers, outputs: Outputs, pages: dict[str, str]) -> None:
    write_json(answers.as_json([pages.get(answer.planned.name) for answer in answers.each]), outputs.json)
    if outputs.junit is not None:
        verdicts = {answer.planned.name: answer.verdict for answer in answers.each}
        outputs.junit.write_text(junit.render_several(verdicts), encoding="utf-8")


def _tell(answer: Answer) -> None:
    verdict = answer.verdict
    words.print(Text(f"\n{answer.planned.name}: {verdict.decision}: {meaning(verdict)}", style="bold"))
    if answer.error is not None:
        # All that there is to say of it has been said.
        if answer.error.hint:
            words.print(f"  hint: {answer.error.hint}", markup=False)
        return
    print_reasons(verdict)
    if answer.proven.logs is not None:
        words.print(f"logs: {answer.proven.logs}", markup=False)
