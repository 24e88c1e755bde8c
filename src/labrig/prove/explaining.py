"""Explaining what differs: contents, and which task touched it. Nothing of this happens where nothing differs.

Contents are read from the machines of the proof, as they are now, and from those of the watched deployments, as they
were right after it; which is which is known by the hash, so what has changed meanwhile is never shown for what was
compared.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from labrig.ansible.events import Ended
from labrig.errors import LabrigError
from labrig.prove import attribution, classes
from labrig.prove.attribution import LEFT_AS_IT_WAS, On, Place, Story, Touch, Watched
from labrig.prove.outcome import Outcome, Start, States, Terms, Wanted
from labrig.prove.path import PathTaken
from labrig.prove.run import Run, Say
from labrig.prove.snapshots import Source
from labrig.prove.verdict import PATHS, Finding, PathName, Production
from labrig.state.content import ContentDiff, difference, unknown
from labrig.state.model import State

# How many findings are looked at: with more, a person reads the classes rather than each.
WATCHED = 1000
# What to look at goes to the machine as one argument, of which the kernel takes 128 KiB.
WATCHED_CHARACTERS = 60_000
CONTENTS = 200
CONTENT_LIMIT = 256 << 10
SHOWN_TASKS = 20
ORDER: tuple[On, ...] = ("fresh", "upgrade", "production")


@dataclass(frozen=True)
class Before:
    """Production before the upgrade, on machines that run."""

    states: States
    taken: PathTaken


@dataclass(frozen=True)
class Known:
    """What a proof has come to, and where its paths began.

    Attributes:
        before: None where nothing differed between the paths, or where production could not be looked at.
        source: What production's state is deployed from; None where it is in images.
    """

    outcomes: Mapping[PathName, Outcome]
    before: Before | None
    fresh: Start
    upgrade: Start
    source: Source | None
    production: Production


@dataclass
class _Seen:
    """What the watched deployments showed."""

    first: dict[On, Watched] = field(default_factory=dict)
    again: dict[On, Watched] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    lost: dict[str, None] = field(default_factory=dict)


def explained(
    run: Run, terms: Terms, findings: tuple[Finding, ...], known: Known, say: Say, *, watch: bool
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return the findings with their contents, the tasks that touched them, their class and what to do.

    What cannot be found out only leaves words out: it never raises but for an interruption. What was left out for a
    reason that another run may not have is returned as well, one sentence each.

    Args:
        run: The run, on whose engine machines are started.
        terms: What holds for both paths.
        findings: At least one.
        known: What the proof has come to.
        say: Called as each step begins.
        watch: Whether to deploy once more, with a look at the machine after every task.
    """
    say("both", "explain", "")
    machines = tuple(platform.name for platform in terms.scenario.platforms)
    files = [one for one in findings if _has_content(one)][:CONTENTS]
    seen = _Seen()
    takens = [outcome.taken for outcome in known.outcomes.values()] + ([known.before.taken] if known.before else [])
    for taken in takens:
        if taken is not None:
            _read_contents(taken, _wanted(files, machines), seen)
    if watch:
        _watch(run, terms, findings, known, say, seen, machines)
    tasks = {path: outcome.tasks for path, outcome in known.outcomes.items()}
    shown = {id(one) for one in files}
    told = tuple(
        _explained(
            one,
            classes.place(one, machines),
            seen,
            known,
            tasks,
            _diff(one, seen.contents) if id(one) in shown else None,
        )
        for one in findings
    )
    return told, tuple(seen.lost)


def _wanted(findings: Iterable[Finding], machines: Sequence[str]) -> Wanted:
    found: dict[str, dict[str, dict[str, None]]] = {}
    for one in findings:
        machine, (dimension, key) = classes.place(one, machines)
        # A dimension that could not be read has no key of its own.
        if key != dimension:
            found.setdefault(machine, {}).setdefault(dimension, {})[key] = None
    # Several findings may be about one thing.
    return {machine: {name: list(keys) for name, keys in kinds.items()} for machine, kinds in found.items()}


def _as_many_as_fit(findings: Sequence[Finding]) -> list[Finding]:
    ends = accumulate(len(one.key) + len(one.dimension) for one in findings)
    return [one for one, end in zip(findings[:WATCHED], ends, strict=False) if end <= WATCHED_CHARACTERS]


def _read_contents(taken: PathTaken, wanted: Wanted, seen: _Seen) -> None:
    """Add the contents that are on a path's machines now, by hash."""
    if not wanted:
        return
    try:
        states = taken.see(wanted, contents=CONTENT_LIMIT)
    except LabrigError as error:
        seen.lost[f"contents could not be read, so that how they differ is not shown: {error.message}"] = None
        return
    seen.contents.update({digest: content for state in states.values() for digest, content in _by_hash(state)})


def _by_hash(state: State) -> Iterable[tuple[str, bytes]]:
    for value in state.entries.values():
        if "content" in value and "sha256" in value:
            yield str(value["sha256"]), base64.b64decode(str(value["content"]))


def _watch(
    run: Run,
    terms: Terms,
    findings: Sequence[Finding],
    known: Known,
    say: Say,
    seen: _Seen,
    machines: Sequence[str],
) -> None:
    """Deploy HEAD once more on both paths, and production on a blank machine where HEAD did not make what differs."""
    chosen = _as_many_as_fit(findings)
    if not _wanted(chosen, machines):
        return
    starts: dict[On, tuple[Start, Terms]] = {}
    for path, start in (("fresh", known.fresh), ("upgrade", known.upgrade)):
        if path in known.outcomes and any(one.path in (None, path) for one in findings):
            starts[path] = (dataclasses.replace(start, machines=f"{path}-watched"), terms)  # type: ignore[index]
    if known.source is not None and any(one.kind in ("left behind", "not updated") for one in findings):
        starts["production"] = (
            Start("upgrade", known.source.images, machines="production-watched"),
            dataclasses.replace(terms, scenario=known.source.scenario),
        )
    again = {path for path in PATHS if any((one.check, one.path) == ("idempotent", path) for one in chosen)}

    def one(on: On) -> None:
        start, own = starts[on]
        taken = PathTaken(run, own, start, lambda _, step, task: say(on, f"explain: {step}", task), lambda _: None)
        try:
            first, second = taken.watch(on, _wanted(chosen, machines), again=on in again)
            seen.first[on] = first
            if second is not None:
                seen.again[on] = second
            _read_contents(taken, _wanted([one for one in chosen if _has_content(one)][:CONTENTS], machines), seen)
        except Exception as error:  # noqa: BLE001  # whatever is amiss here, the verdict stands
            run.check()
            seen.lost[f"which tasks touch what differs could not be seen on {on}: {error}"] = None
        finally:
            if not run.processes.cancelled:
                _remove(taken)

    with ThreadPoolExecutor(max_workers=3, thread_name_prefix="explain") as pool:
        try:
            list(pool.map(one, starts))
        except KeyboardInterrupt:
            run.cancel()
            raise


def _remove(taken: PathTaken) -> None:
    try:
        taken.remove()
    except LabrigError:
        return  # The run removes what is left at its end.


def _has_content(finding: Finding) -> bool:
    sides = [side for side in (finding.left, finding.right) if side is not None]
    if finding.dimension != "file" or not any(side.get("type") == "file" for side in sides):
        return False
    return len(sides) == 1 or "sha256" in classes.fields(finding)


def _diff(finding: Finding, contents: Mapping[str, bytes]) -> ContentDiff | None:
    sides = [_content(side, contents) for side in (finding.left, finding.right)]
    missing = [
        name
        for name, side, content in zip(_names(finding), (finding.left, finding.right), sides, strict=True)
        if content is None and side is not None and side.get("type", "file") == "file"
    ]
    if not missing:
        path = finding.key.partition(": ")[2] if classes.machine(finding) else finding.key
        return difference(path, *sides)
    sizes = [side.get("size", 0) for side in (finding.left, finding.right) if side is not None]
    if any(size > CONTENT_LIMIT for size in sizes):
        return unknown(f"too large to show: {' and '.join(f'{size} bytes' for size in sizes)}")
    return unknown(f"the content {' and '.join(missing)} is not there any more: it has changed since it was compared")


def _content(side: Mapping[str, Any] | None, contents: Mapping[str, bytes]) -> bytes | None:
    return None if side is None else contents.get(str(side.get("sha256", "")))


def _names(finding: Finding) -> tuple[str, str]:
    return ("on fresh", "on upgrade") if finding.check == "same-state" else ("before", "after")


def _explained(
    finding: Finding,
    where: tuple[str, Place],
    seen: _Seen,
    known: Known,
    tasks: Mapping[PathName, Sequence[Ended]],
    diff: ContentDiff | None,
) -> Finding:
    machine, place = where
    fields = classes.fields(finding)
    watched = seen.again if finding.check == "idempotent" else seen.first
    stories = {
        on: attribution.story(watched[on], machine, place)
        for on in ORDER
        if on in watched and finding.path in (None, on)
    }
    decisive = {on: attribution.decisive(one.touches, fields) for on, one in stories.items()}
    touched = [attribution.told(touch, on, _root(seen, on)) for on, story in stories.items() for touch in story.touches]
    kind = finding.kind
    if _is_at_run_time(finding, stories, decisive, fields):
        kind = "changed at run time"
    elif finding.check == "idempotent" and any(decisive.values()):
        kind = "created differently"
    listed = _listed(finding, touched)
    found = dataclasses.replace(finding, kind=kind, tasks=listed, diff=diff)
    found = dataclasses.replace(found, hint=classes.hint(found, tasks))
    return dataclasses.replace(found, cause=_cause(found, stories, decisive, known, seen, fields))


def _root(seen: _Seen, on: On) -> str:
    # Production's tree lies in a folder that is gone soon; HEAD's is the user's own.
    return seen.first[on].root if on == "production" and on in seen.first else ""


def _listed(finding: Finding, touched: list[dict[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Return the tasks that touched it, then those that name it and did not."""
    if not touched:
        return finding.tasks
    known = {(task["on"], task["path"], task["task"]) for task in touched}
    others = [
        {**task, "did": LEFT_AS_IT_WAS}
        for task in finding.tasks
        if (task.get("on", finding.path), task["path"], task["task"]) not in known
    ]
    return (*touched, *others)[:SHOWN_TASKS]


def _is_at_run_time(
    finding: Finding,
    stories: Mapping[On, Story],
    decisive: Mapping[On, Touch | None],
    fields: Iterable[str],
) -> bool:
    """Whether the watched deployments show that no task made it what it is, although it changed meanwhile."""
    if finding.check == "survives-restart" or classes.is_unread(finding):
        return False
    paths = [on for on in PATHS if on in stories]
    if not paths or not all(stories[on].complete for on in paths) or any(decisive[on] for on in paths):
        return False
    return any(
        stories[on].adrift and not attribution.same(finding.dimension, stories[on].first, stories[on].last, fields)
        for on in paths
    )


def _cause(
    finding: Finding,
    stories: Mapping[On, Story],
    decisive: Mapping[On, Touch | None],
    known: Known,
    seen: _Seen,
    fields: Iterable[str],
) -> str:
    """Return which task brought it about, path by path; empty where that was not watched."""
    said = []
    untouched = []
    for on in (path for path in PATHS if path in stories):
        touch = decisive[on]
        if touch is not None:
            said.append(
                f"on {on} {_task(touch, seen.first[on].root)} {touch.did}" + ("" if touch.sure else ", perhaps")
            )
        elif _proves_untouched(finding, on, stories[on], fields):
            untouched.append(on)
    if len(untouched) == len(PATHS) or (untouched and finding.path is not None):
        said.append("no task of HEAD touches it")
    elif untouched:
        said.append(f"on {untouched[0]} no task of HEAD touches it")
    maker = decisive.get("production")
    if "upgrade" in untouched and finding.kind in ("left behind", "not updated"):
        if maker is not None:
            said.append(f"production's {_task(maker, seen.first['production'].root)} {maker.did}")
        elif known.source is None:
            said.append(f"it comes with production's image {known.production.name}")
    return "; ".join(said)


def _proves_untouched(finding: Finding, on: On, story: Story, fields: Iterable[str]) -> bool:
    """Whether the watched deployment came to what was compared, so that what it shows holds for that, too."""
    if not story.complete or story.adrift:
        return False
    if finding.check != "same-state":
        return True
    return attribution.same(finding.dimension, story.last, finding.left if on == "fresh" else finding.right, fields)


def _task(touch: Touch, root: str) -> str:
    path = str(touch.task["path"]).removeprefix(f"{root}/")
    item = f", item {touch.item}" if touch.item else ""
    return f"{path} ('{touch.task['task']}'{item})" if path else f"task '{touch.task['task']}'{item}"
