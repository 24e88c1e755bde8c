"""``labrig experiment sweep``: what is over goes, on all lab hosts of the settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from labrig.cli.console import words, write_json
from labrig.cli.experiment_options import Call, dry_run_option, host_options, json_option
from labrig.cli.experiment_session import attached
from labrig.errors import ExitCode, LabrigError


@click.command()
@host_options
@dry_run_option
@json_option
def sweep(*, call: Call, json_file: Path | None) -> int:
    """Remove the experiments whose branch is gone, or whose time is over and that nobody has pinned.

    Each lab host does so by itself from time to time. Of every application on it, what is there is compared with its
    repository. --host names another lab host, also where there are no settings. Ends with 1 where one could not be
    removed, and with 3 where a host cannot be asked.
    """
    hosts, config = call.lab_hosts()
    codes, told = [], {}
    for one in hosts:
        if len(hosts) > 1:
            words.print(f"{one}:", markup=False)
        options = ["sweep", *(["--dry-run"] if call.dry_run else []), *(["--json"] if json_file else [])]
        try:
            code, text = attached(one, options, config, is_kept=json_file is not None)
        except LabrigError as error:
            words.print(f"labrig: error: {error.message}", markup=False)
            codes.append(int(error.exit_code))
            continue
        codes.append(code)
        told[one] = _read(text)
    write_json({"hosts": told}, json_file)
    return max(codes, default=ExitCode.OK)


def _read(text: str) -> Any:
    """Return what a host told; None where it told nothing that can be read, and said why on standard error."""
    try:
        return json.loads(text)
    except ValueError:
        return None
