"""`lrtui report` and `lrtui export`: what is left of a race, for people and for programs."""

from __future__ import annotations

import json
import os
from itertools import combinations
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from lrtui.cli.appearance import paper
from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.options import runs_folder, runs_option
from lrtui.client.follower import Follower
from lrtui.core.errors import RunError, ScenarioError
from lrtui.core.files import absolute
from lrtui.core.numbers import size
from lrtui.core.scenario.scenario_text import scenario_text
from lrtui.core.state.race_state import RaceState
from lrtui.core.text import one_line
from lrtui.report.files import write
from lrtui.store import run_dir
from lrtui.store.reader import summary


@click.command()
@click.argument("run", required=False)
@click.option(
    "--html",
    metavar="FILE",
    help="Also write one page: curves to look into, standings, samples, settings.",
)
@click.option("--svg", metavar="FILE", help="Also write the chart alone.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object on stdout.")
@click.option("--rates-svg", metavar="FILE", help="Also write the chart of outcomes against rates.")
@click.option(
    "--widen",
    metavar="FILE",
    help="Also write the scenario that goes on where the best rate is at the edge of those raced.",
)
@runs_option
def report(
    run: str | None,
    html: str | None,
    svg: str | None,
    rates_svg: str | None,
    widen: str | None,
    as_json: bool,
    runs: str | None,
) -> int:
    """Print the end of a RUN, or how it stands: a path, a name or the beginning of one; the newest
    by default."""
    from lrtui.plain.json_lines import result_line

    flags = {"--html": html, "--svg": svg, "--rates-svg": rates_svg, "--widen": widen}
    _refuse_same({flag: name for flag, name in flags.items() if name is not None})
    follower = Follower(run_dir.find(run, runs_folder(runs)))
    try:
        follower.finish()
        rates = _rates_svg(follower.state) if rates_svg is not None else ""
        scenario = _widened(follower.state) if widen is not None else ""
        # before anything is printed: whoever reads that may go away
        files = []
        if html is not None:
            from lrtui.report.page import page

            files.append(_written("page", Path(html), page(follower)))
        if svg is not None:
            from lrtui.report.svg import chart_svg

            files.append(_written("chart", Path(svg), chart_svg(follower.state)))
        if rates_svg is not None:
            files.append(_written("rate chart", Path(rates_svg), rates))
        if widen is not None:
            files.append(_written("scenario", Path(widen), scenario))
        console = paper(stderr=as_json)
        if as_json:
            print(json.dumps(result_line(follower.state, str(follower.run)), allow_nan=False))
        else:
            _print(console, follower)
        for line in files:
            console.print(line, soft_wrap=True)
    finally:
        follower.close()
    return ExitCode.RACED


def _print(console: Console, follower: Follower) -> None:
    """Print the report, and how to go on with a race that is not over."""
    from lrtui.report.text import print_report

    print_report(console, follower.state, follower.run)
    resumable = summary(follower.run).resumable
    if resumable or not follower.state.over:
        way = "to go on with it: lrtui resume" if resumable else "to watch it: lrtui watch"
        words = f"the race is not over; {way} {one_line(follower.run.name)}"
        console.print(Text(words), soft_wrap=True)


@click.command()
@click.argument("run", required=False)
@click.option(
    "--csv", "as_csv", metavar="DIR", help="Write comma-separated values into this folder."
)
@click.option("--jsonl", "as_jsonl", metavar="DIR", help="Write JSON Lines into this folder.")
@click.option("--force", is_flag=True, help="Replace what an earlier export left in the folder.")
@runs_option
def export(
    run: str | None, as_csv: str | None, as_jsonl: str | None, force: bool, runs: str | None
) -> int:
    """Write all that a RUN recorded into files: steps, evaluations, events of each lane, and
    race.json."""
    from lrtui.report import export as exporting

    if as_csv is None and as_jsonl is None:
        raise ScenarioError("no output folder given", "expected --csv DIR or --jsonl DIR")
    if as_csv is not None and as_jsonl is not None and _same(as_csv, as_jsonl):
        raise ScenarioError(
            f"{as_jsonl}: one folder for both",
            "expected a folder for each form: --csv DIR --jsonl ANOTHER",
        )
    found = run_dir.find(run, runs_folder(runs))
    for folder, form in ((as_csv, "csv"), (as_jsonl, "jsonl")):
        if folder is not None:
            written = exporting.export(found, Path(folder), form, force=force)  # type: ignore[arg-type]  # one of two words
            print(f"{one_line(str(written.folder))}: {written.files} files, {size(written.bytes)}")
    return ExitCode.RACED


def _rates_svg(state: RaceState) -> str:
    """The rate chart as SVG; RunError where there is none."""
    from lrtui.core.results.rate_chart import rate_chart
    from lrtui.core.results.rate_sentences import rate_sentences
    from lrtui.report.rates_svg import rates_svg

    chart = rate_chart(state)
    drawn = rates_svg(chart, state.race.title)
    if not drawn:
        raise RunError(
            f"--rates-svg: {rate_sentences(chart, state)[0].rstrip('.')}",
            "expected a run with outcomes at two rates or more",
        )
    return drawn


def _widened(state: RaceState) -> str:
    """The scenario that races beyond the edge of the rates; an LrtuiError where there is none."""
    from lrtui.core.results.rate_chart import rate_chart
    from lrtui.core.results.rate_sentences import refusal
    from lrtui.core.results.widen import that_fit, widened, widenings

    chart = rate_chart(state)
    found = that_fit(widenings(chart, state), state.race)
    if not found:
        raise RunError(
            f"--widen: {refusal(chart, state)}",
            "expected a run whose best rate is the lowest or the highest one raced",
        )
    return scenario_text(widened(state, found))


def _refuse_same(files: dict[str, str]) -> None:
    """Refuse one file for several outputs."""
    for (flag, name), (other, given) in combinations(files.items(), 2):
        if _same(name, given):
            raise ScenarioError(
                f"{one_line(given)}: one file for both",
                f"expected a file for each: {flag} FILE {other} ANOTHER",
            )


def _same(one: str, other: str) -> bool:
    """True if two names lead to one file, through links or on a file system that ignores case."""
    first, second = (Path(os.path.realpath(absolute(name))) for name in (one, other))
    return first == second or (first.exists() and second.exists() and first.samefile(second))


def _written(what: str, path: Path, text: str) -> Text:
    """Write a file; returns a line with its path."""
    written = size(write(path, text))
    return Text(f"{what}: {one_line(str(absolute(path)))} ({written})")
