"""``labrig prove``: the main job."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import click

from labrig import clock
from labrig.cli import prove_all, stored, times
from labrig.cli.console import words, write_json
from labrig.cli.options import seconds
from labrig.cli.progress import Progress, print_failure
from labrig.errors import EnvironmentFailed, UsageError
from labrig.prove import calibration, junit, proof, report
from labrig.prove.calibration import Calibration
from labrig.prove.meaning import meaning
from labrig.prove.proof import Options, Proven
from labrig.prove.verdict import Verdict


@click.command()
@click.option(
    "--project",
    "projects",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help="The project's folder [default: here]; with --all, several.",
)
@click.option(
    "--scenario", metavar="NAME", help="The Molecule scenario, where there are several; with --all, a pattern."
)
@click.option(
    "--all", "every", is_flag=True, help="Prove every scenario of the projects here and below, on every image."
)
@click.option("--exclude", multiple=True, metavar="PATTERN", help="With --all: leave out these scenarios or proofs.")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="With --all: proofs at a time [default: as there is room]."
)
@click.option("--production", metavar="REF|IMAGE", help="Production's state: a git ref, or an image of a machine.")
@click.option(
    "--playbook",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Prove this playbook, without Molecule; needs --image.",
)
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="[FROM=]TO",
    help="Use image TO where the scenario names FROM, which may be a glob; with --playbook, the machine's image.",
)
@click.option("--timeout", metavar="TIME", help="How long a path may take: 90s, 30m, 2h, or seconds [default: 30m].")
@click.option("--no-restart", is_flag=True, help="Do not restart the machines.")
@click.option(
    "--calibrate", is_flag=True, help="Deploy on two blank machines, and propose what to allow of what differs."
)
@click.option("--no-explain", is_flag=True, help="Do not deploy once more to see which task touched what differs.")
@click.option("--why", is_flag=True, help="Print what has changed since the last proof of this scenario.")
@click.option("--no-cache", is_flag=True, help="Redo everything, whatever is stored of earlier proofs.")
@click.option("--audit", is_flag=True, help="Redo a stored proof, and compare what is stored with what comes of it.")
@click.option(
    "--max-age", metavar="TIME", default="24h", show_default=True, help="Use nothing that was deployed longer ago."
)
@click.option("--profile", is_flag=True, help="Tell where the time went, step by step and task by task.")
@click.option("--keep", is_flag=True, help="Leave the machines running, and say how to enter them.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the verdict; - is stdout.",
)
@click.option(
    "--junit",
    "junit_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the checks as JUnit XML.",
)
@click.option(
    "--report",
    "report_directory",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write one self-contained HTML page, with logs beside it.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def prove(
    *,
    projects: tuple[Path, ...],
    scenario: str | None,
    every: bool,
    exclude: tuple[str, ...],
    jobs: int | None,
    production: str | None,
    playbook: Path | None,
    images: tuple[str, ...],
    timeout: str | None,
    no_restart: bool,
    calibrate: bool,
    no_explain: bool,
    why: bool,
    no_cache: bool,
    audit: bool,
    max_age: str,
    profile: bool,
    keep: bool,
    json_file: Path | None,
    junit_file: Path | None,
    report_directory: Path | None,
    debug: bool,
) -> int:
    """Prove that the project's change is safe on a blank machine and on production.

    The change is deployed onto a blank machine and onto a machine in production's state, deployed again, tested,
    restarted, and both machines are compared.
    """
    if debug:
        os.environ["LABRIG_DEBUG"] = "1"
    image, matrix = _images(images, playbook)
    for path in (json_file, junit_file):
        _check_writable(path)
    options = Options(
        project=projects[0] if projects else Path(),
        scenario=scenario,
        production=production,
        playbook=playbook,
        image=image,
        images={source: targets[0] for source, targets in matrix.items()},
        keep=keep,
        timeout=None if timeout is None else seconds("--timeout", timeout),
        restart=False if no_restart else None,
        explain=not no_explain,
        cache=not no_cache,
        audit=audit,
        max_age=timedelta(seconds=seconds("--max-age", max_age)),
    )
    if no_cache and audit:
        raise UsageError("--audit goes without --no-cache", hint="it compares a stored proof with doing it again")
    if every:
        alone: dict[str, object] = {"--calibrate": calibrate, "--keep": keep, "--playbook": playbook}
        _check_goes_with("--all", {**alone, "--profile": profile}, "prove that one alone")
        outputs = prove_all.Outputs(json_file, junit_file, report_directory)
        return prove_all.prove_all(options, projects or (Path(),), matrix, exclude, jobs, outputs, why=why)
    _check_only_one(projects, matrix, {"--exclude": exclude, "--jobs": jobs})
    if calibrate:
        without: dict[str, object] = {"--production": production, "--no-restart": no_restart, "--keep": keep}
        without |= {"--why": why, "--no-cache": no_cache, "--audit": audit}
        without["--profile"] = profile
        without |= {"--no-explain": no_explain, "--junit": junit_file, "--report": report_directory}
        _check_goes_with("--calibrate", without, "it only compares two first deployments")
        return _calibrate(options, json_file)
    began = clock.monotonic()
    try:
        with Progress() as progress:
            proven = proof.prove(options, os.environ, say=progress.say, on_check=progress.check)
    except EnvironmentFailed as error:
        # A gate reads the files, whatever happened.
        unanswered = Proven(proof.unanswered(options, error), None, ())
        _write(unanswered.verdict, unanswered, json_file, junit_file, report_directory)
        raise
    ended = clock.monotonic()
    verdict = proven.verdict
    _write(verdict, proven, json_file, junit_file, report_directory)
    progress.summary(verdict)
    (stored.print_why if why else stored.print_outside)(proven)
    if profile:
        times.print_profile(verdict, ended - began)
    _tell_what_is_left(proven)
    words.print(f"{verdict.decision}: {meaning(verdict)}", markup=False)
    if audit:
        return stored.print_audit(proven)
    return verdict.exit_code


def _calibrate(options: Options, json_file: Path | None) -> int:
    with Progress(table=False) as progress:
        found = calibration.calibrate(options, os.environ, say=progress.say)
    write_json(found.as_json(), json_file)
    for check in found.failed:
        print_failure(check)
    if found.logs is not None:
        words.print(f"logs: {found.logs}", markup=False)
    for one in found.measured:
        where = f"{one.machine}: " if one.machine else ""
        words.print(f"  - {where}{one.text}", markup=False)
    # Ready to be pasted: only this is on stdout, unless the JSON is.
    if str(json_file) != "-":
        click.echo(found.as_yaml(), nl=False)
    words.print(_said(found), markup=False)
    return found.exit_code


def _said(found: Calibration) -> str:
    if found.failed:
        return "not calibrated: it does not deploy"
    if not found.measured:
        return f"calibrated: {found.compared} things compared, none differs between two equal deployments"
    count = len(found.measured)
    things = "1 thing differs" if count == 1 else f"{count} things differ"
    return f"not calibrated: {things} between two equal deployments; say in labrig.yml which of them may, and why"


def _images(given: tuple[str, ...], playbook: Path | None) -> tuple[str | None, dict[str, list[str]]]:
    image = None
    matrix: dict[str, list[str]] = {}
    for one in given:
        source, equals, target = one.partition("=")
        if equals:
            if not source or not target:
                raise UsageError(f"--image {one!r}: expected FROM=TO")
            matrix.setdefault(source, []).append(target)
        elif playbook is None:
            raise UsageError(f"--image {one!r}: expected FROM=TO", hint="an image alone goes with --playbook")
        else:
            image = one
    return image, matrix


def _check_goes_with(option: str, others: Mapping[str, object], hint: str) -> None:
    for other, given in others.items():
        if given:
            raise UsageError(f"{option} goes without {other}", hint=hint)


def _check_only_one(
    projects: Sequence[Path], matrix: Mapping[str, Sequence[str]], others: Mapping[str, object]
) -> None:
    hint = "add --all to prove each"
    if len(projects) > 1:
        raise UsageError(f"--project is given {len(projects)} times, for one proof", hint=hint)
    for source, targets in matrix.items():
        if len(targets) > 1:
            raise UsageError(f"--image {source}= is given {len(targets)} times, for one proof", hint=hint)
    for option, given in others.items():
        if given:
            raise UsageError(f"{option} goes with --all")


def _check_writable(path: Path | None) -> None:
    """Say before the work, and not after it, that its result cannot be written."""
    if path is not None and str(path) != "-" and not path.resolve().parent.is_dir():
        raise UsageError(f"{path} cannot be written: {path.resolve().parent} is not a folder")


def _write(
    verdict: Verdict, proven: Proven, json_file: Path | None, junit_file: Path | None, report_directory: Path | None
) -> None:
    write_json(verdict.as_json(), json_file)
    if junit_file is not None:
        junit_file.write_text(junit.render(verdict), encoding="utf-8")
    if report_directory is not None:
        page = report.write(verdict, report_directory, proven.logs)
        words.print(f"report: {page}", markup=False)


def _tell_what_is_left(proven: Proven) -> None:
    if proven.logs is not None:
        words.print(f"logs: {proven.logs}", markup=False)
    for container in proven.machines:
        words.print(f"kept: docker exec -it {container} /bin/bash", markup=False)
    if proven.machines:
        words.print("`labrig clean` removes what is kept", markup=False)
