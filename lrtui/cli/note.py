"""`lrtui note`: the name and the note that a user gives a run."""

from __future__ import annotations

import click

from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.options import runs_folder, runs_option
from lrtui.core.state.label import name_of, note_of
from lrtui.core.text import one_line
from lrtui.store import run_dir
from lrtui.store.label import read_label


@click.command()
@click.argument("run", required=False)
@click.argument("text", metavar="[NOTE]", required=False)
@click.option("--name", help='A name by which commands find the run; "" takes it away.')
@runs_option
def note(run: str | None, text: str | None, name: str | None, runs: str | None) -> int:
    """Note something about a RUN, or give it a name; without either, print them. An empty NOTE
    takes the note away."""
    path = run_dir.find(run, runs_folder(runs))
    if text is not None or name is not None:
        run_dir.relabel(
            path,
            name=None if name is None else name_of(name),
            note=None if text is None else note_of(text),
        )
    label = read_label(path)
    print(one_line(path.name))
    print(f"name: {label.name or 'none'}")
    print(f"note: {label.note or 'none'}")
    return ExitCode.RACED
