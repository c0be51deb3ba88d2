"""The manual: pages and their generated tables, the search, and `lrtui help`."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import sys
import tomllib

import click
import pexpect
import pytest

from lrtui import manual
from lrtui.cli import cli, main, manual_tables
from lrtui.cli.manual_tables import json_lines, sentences, tables
from lrtui.core.scenario import scenario_file
from lrtui.terminal import settings
from lrtui.tui.key_table import ALL
from lrtui.tui.keymap import Keymap, faults
from support.pages import PAGES, ROOT, blocks, files, spans
from support.waiting import PATIENCE_S

IDS = [path.stem for path in PAGES]
SCENARIO_PAGES = ("control", "optimizers", "recipe", "scenarios", "schedules", "scripts")
"""Pages whose TOML blocks are scenarios, or parts of one."""
SUMMARY = 64
"""Characters of a page's summary, so that the list of topics has a line for each."""
RACE = 'task = "straight-line"\nsteps = 10\n[[lane]]\nlr = 0.1\n'
REFRESH = "run: python -m lrtui.cli.manual_tables --write"


@pytest.fixture
def lrtui(tmp_path, monkeypatch, capfd):
    """Runs a command in this process; its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*args: str) -> tuple[int, str, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main(list(args))
        return int(left.value.code or 0), *capfd.readouterr()

    return run


class TestPages:
    def test_every_page_has_a_topic(self):
        assert {path.stem for path in manual.FOLDER.glob("*.md")} == set(manual.TOPICS)

    @pytest.mark.parametrize("page", manual.pages(), ids=manual.TOPICS)
    def test_it_begins_with_its_title_and_a_line_about_it(self, page):
        assert page.title.lower() == page.topic
        lines = page.text.splitlines()
        assert lines[0] == f"# {page.title}"
        assert lines[2] == f"{page.summary}."
        assert len(page.summary) <= SUMMARY

    @pytest.mark.parametrize("path", PAGES, ids=IDS)
    def test_what_is_generated_is_up_to_date(self, path):
        text = path.read_text(encoding="utf-8")
        assert manual_tables.renewed(text) == text, REFRESH

    def test_everything_that_can_be_generated_is_on_a_page(self):
        text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
        assert set(re.findall(r"<!-- generated: ([\w-]+) -->", text)) == manual_tables.PARTS.keys()

    def test_every_sentence_about_a_json_field_is_used(self):
        text = json_lines.json_events()
        assert [
            name for name, words in sentences.FIELDS.items() if f"| {words} |" not in text
        ] == []

    @pytest.mark.parametrize(
        "path", [*PAGES, ROOT / "tests" / "benchmarks" / "README.md"], ids=[*IDS, "benchmarks"]
    )
    def test_its_links_lead_somewhere(self, path):
        for target, anchor in re.findall(
            r"\]\(([^)#:\s]*)(?:#([\w-]+))?\)", path.read_text(encoding="utf-8")
        ):
            place = path.parent / target if target else path
            assert place.exists(), target
            if anchor:
                headings = re.findall(r"^#+ (.*)$", place.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in [heading.lower().replace(" ", "-") for heading in headings]

    @pytest.mark.parametrize("command", sorted({span for path in PAGES for span in spans(path)}))
    def test_a_command_in_a_sentence_exists(self, command):
        words = shlex.split(command)[1:]
        if words and words[0] not in ("TOPIC", "--help"):
            assert words[0] in cli.commands
            names = [name for given in cli.commands[words[0]].params for name in given.opts]
            assert [
                word
                for word in words[1:]
                if word.startswith("--") and word not in [*names, "--help"]
            ] == []

    def test_toml_on_the_page_of_settings_is_a_settings_file(self, tmp_path, monkeypatch):
        file = tmp_path / "settings.toml"
        file.write_text("".join(blocks(manual.FOLDER / "terminals.md", "toml")))
        monkeypatch.setenv("LRTUI_CONFIG", str(file))
        assert settings.load(faults)[1] == []

    @pytest.mark.parametrize("topic", SCENARIO_PAGES)
    def test_toml_on_other_pages_is_a_scenario(self, tmp_path, topic):
        (tmp_path / "my.py").write_text(
            "def factor(step): return 1.0\nclass Name:\n    def step(self): pass\n"
        )
        for name, text in files().items():
            (tmp_path / name).write_text(text)
        found = blocks(manual.FOLDER / f"{topic}.md", "toml")
        assert found
        for block in found:
            raw = tomllib.loads(block)
            raw = (
                raw
                if {"task", "script"} & raw.keys()
                else {
                    **{
                        key: value
                        for key, value in tomllib.loads(RACE).items()
                        if key != "lane" or not {"lane", "sweep"} & raw.keys()
                    },
                    **raw,
                }
            )
            assert scenario_file.parse(raw, source=topic, folder=tmp_path, scenario=topic).lanes

    def test_no_page_but_the_one_on_terminals_is_about_settings(self):
        assert [
            path.stem
            for path in PAGES
            if path.stem not in ("terminals", *SCENARIO_PAGES) and blocks(path, "toml")
        ] == []


class TestTables:
    def test_the_keys_are_those_of_the_help(self):
        page = manual.page("keys").text
        for shown, words in itertools.chain(*map(Keymap().help_lines, ALL)):
            assert f"| `{shown}` | {words} |" in page

    def test_the_scenarios_are_those_that_come_with_it(self):
        rows = re.findall(
            r"^\| `([\w-]+)` \| .* \| \d+ \| ", manual.page("scenarios").text, re.MULTILINE
        )
        assert rows == [path.stem for path in scenario_file.bundled()]

    def test_every_option_of_every_command_is_there(self):
        page = manual.page("commands").text
        for name, command in cli.commands.items():
            assert f"### lrtui {name}\n" in page
            for given in command.params:
                assert not isinstance(given, click.Option) or given.opts[0] in page

    def test_a_name_without_a_sentence_is_told(self, monkeypatch):
        monkeypatch.delitem(sentences.RACE_KEYS, "pace")
        with pytest.raises(ValueError, match="pace"):
            tables.race_keys()

    def test_the_tool_names_stale_files_and_writes_them(self, tmp_path, monkeypatch, capsys):
        page = tmp_path / "page.md"
        page.write_text("# Page\n\n<!-- generated: exit-codes -->\nold\n<!-- end -->\n")
        monkeypatch.setattr(manual_tables, "files", lambda: [page])
        assert manual_tables.main([]) == 1
        assert "old" in page.read_text()
        assert manual_tables.main(["--write"]) == 0
        assert "| 130 | Interrupted |" in page.read_text()
        assert manual_tables.main([]) == 0
        assert capsys.readouterr().out == f"{page}\n{page}\n"


class TestSearch:
    def test_words_are_found_across_lines_and_cells(self):
        assert any(
            "the gain ratio of trust-region methods" in hit.text
            for hit in manual.search("GAIN  ratio of trust-region")
        )
        assert [hit.topic for hit in manual.search("step gain  how much")] == ["glossary"]

    def test_hits_are_numbered_on_each_page(self):
        hits = manual.search("snapshot")
        for topic, group in itertools.groupby(hits, lambda hit: hit.topic):
            assert [hit.number for hit in group] == list(
                range(sum(hit.topic == topic for hit in hits))
            )

    def test_nothing_is_found_for_nothing(self):
        assert manual.search("  ") == []
        assert manual.search("no such words anywhere") == []

    @pytest.mark.parametrize(
        ("word", "near", "topic"),
        [
            ("glosary", "glossary", "glossary"),
            ("rewnd", "rewind", "control"),
            ("schedule", "schedules", "schedules"),
        ],
    )
    def test_the_nearest_word_and_its_topics(self, word, near, topic):
        found, topics = manual.nearest(word)
        assert found == near
        assert topic in topics
        assert len(topics) <= manual.NEAR


class TestHelp:
    def test_without_a_word_it_lists_the_topics_a_line_each(self, lrtui):
        code, out, err = lrtui("help")
        assert (code, err) == (0, "")
        assert [line.split()[0] for line in out.splitlines()[1:]] == list(manual.TOPICS)

    @pytest.mark.parametrize("topic", manual.TOPICS)
    def test_a_topic_is_its_page_as_plain_text_in_a_pipe(self, lrtui, topic):
        code, out, err = lrtui("help", topic)
        assert (code, err) == (0, "")
        assert out.startswith(f"{manual.page(topic).title}\n═")
        assert "\x1b" not in out
        assert "<!--" not in out
        assert "](" not in out
        assert max(map(len, out.splitlines())) <= 80

    def test_a_word_is_found_with_the_page_and_the_heading(self, lrtui):
        code, out, err = lrtui("help", "step", "gain")
        assert (code, err) == (0, "")
        assert "lrtui help glossary\n  Glossary: step gain " in out
        assert max(map(len, out.splitlines())) <= 82

    def test_a_command_is_its_options(self, lrtui):
        code, out, _ = lrtui("help", "watch")
        assert code == 0
        assert "watch [OPTIONS] [RUN]" in out.splitlines()[0]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (
                ["glosary"],
                (
                    'lrtui: no page of the manual has "glosary"; did you mean "glossary"? '
                    "See: glossary\n"
                ),
            ),
            (
                ["qwxyz"],
                'lrtui: no page of the manual has "qwxyz"; `lrtui help` lists the topics\n',
            ),
        ],
    )
    def test_an_unknown_word_is_one_line_with_the_closest_topics(self, lrtui, words, said):
        assert lrtui("help", *words) == (2, "", said)

    @pytest.mark.parametrize(("topic", "paged"), [("keys", True), ("finder", False)])
    def test_long_help_page_on_a_terminal_goes_through_the_pager(self, tmp_path, topic, paged):
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        env = {**kept, "TERM": "xterm-256color", "PAGER": "sed s/^/PAGED:/"}
        terminal = pexpect.spawn(
            sys.executable,
            ["-m", "lrtui", "help", topic],
            encoding="utf-8",
            timeout=PATIENCE_S,
            dimensions=(60, 100),
            env=env,
            cwd=str(tmp_path),
        )
        out = terminal.read()
        terminal.close()
        assert terminal.exitstatus == 0
        assert ("PAGED:" in out) is paged
        assert manual.page(topic).title in out
