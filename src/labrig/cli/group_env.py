"""``labrig group env``: the values of a group, for the shell."""

from __future__ import annotations

import click

from labrig.cli.group_containers import exported, prefix_option
from labrig.cli.group_options import collection
from labrig.errors import LabrigError
from labrig.groups import environment
from labrig.groups.context import FILE


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(list(environment.FORMATS)),
    default="bash",
    show_default=True,
    help="bash is read by zsh and every POSIX shell as well; dotenv is the form of .env files.",
)
@prefix_option
@click.pass_context
def env(ctx: click.Context, *, form: str, prefix: str) -> None:
    r"""Print the context as variables for the shell: values that services hand on, and the host's ports.

    \b
    bash, zsh  eval "$(labrig group -f FILE env)"
    fish       labrig group -f FILE env --format fish | source
    """
    group = collection(ctx)
    if not (group.directory / FILE).exists():
        raise LabrigError(f"group {group.group!r} has no values: there is no {group.directory / FILE}", hint="start it")
    click.echo(environment.FORMATS[form](exported(group, prefix)), nl=False)
