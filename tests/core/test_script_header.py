"""The race in a script's header (PEP 723): what is read of it, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core.errors import LrtuiError, ScenarioError
from lrtui.core.scenario.script_header import header_tables, load_header, scripts_with_header
from lrtui.core.scenario.spec import Race
from support.scenarios import assert_readable

HEADER = """#!/usr/bin/env python
\"\"\"A script.\"\"\"
# /// script
# requires-python = ">=3.11"
#
# [tool.lrtui]
# title = "Mine"
# lr = [1e-2, 1e-3]
# steps = 50
# seed = 3
# args = ["--bs", "{bs}"]
# vary = { bs = [16, 32] }
# at_once = 1
# [tool.lrtui.env]
# WORKERS = "2"
# ///
print("never run here")
"""


def written(folder: Path, text: str, name: str = "train.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_header_is_the_race_of_its_script(tmp_path):
    race = load_header(written(tmp_path, HEADER))
    assert (race.title, race.steps, race.seed, race.scenario) == ("Mine", 50, 3, "train")
    assert race.script.command[1:] == (str(tmp_path / "train.py"), "--bs", "{bs}")
    assert (race.script.env, race.script.at_once) == ({"WORKERS": "2"}, 1)
    assert [(lane.lr, lane.values) for lane in race.lanes] == [
        (rate, {"bs": size}) for rate in (1e-2, 1e-3) for size in ("16", "32")
    ]


def test_lines_of_windows_are_read(tmp_path):
    path = tmp_path / "train.py"
    path.write_bytes(HEADER.replace("\n", "\r\n").encode())
    assert len(load_header(path).lanes) == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "print('x')",
        HEADER.replace("tool.lrtui", "tool.other"),
        HEADER.replace("# /// script", "# /// other"),
        HEADER.replace("# ///\n", ""),
        HEADER + HEADER,
    ],
    ids=["empty", "plain", "other tool", "other block", "no end", "two blocks"],
)
def test_script_without_a_header_for_lrtui_is_none(tmp_path, text):
    path = written(tmp_path, text)
    assert scripts_with_header(tmp_path) == []
    assert header_tables(path) is None
    with pytest.raises(ScenarioError, match=r"no \[tool.lrtui\] in its header"):
        load_header(path)


def test_scripts_are_listed_by_name_the_broken_ones_too(tmp_path):
    for name in ("b.py", "a.py"):
        written(tmp_path, HEADER.replace("steps = 50", "steps = -1"), name)
    written(tmp_path, HEADER, "not-python.txt")
    assert [path.name for path in scripts_with_header(tmp_path)] == ["a.py", "b.py"]
    with pytest.raises(ScenarioError, match=r"a.py: steps: -1 is an invalid value"):
        load_header(tmp_path / "a.py")


def test_folder_that_is_gone_has_no_scripts(tmp_path):
    assert scripts_with_header(tmp_path / "nowhere") == []


LINES = st.lists(
    st.sampled_from(
        [
            "# /// script",
            "# ///",
            "# [tool.lrtui]",
            "#",
            "# lr = [1]",
            "# lr = 'x'",
            "# args = [['x']]",
            "# vary.x = []",
            "# env = 3",
            "# steps = 1e3",
            "# [tool]",
            "# lrtui = 3",
            "# tool.lrtui.lr = [0.1]",
            "print()",
        ]
    )
    | st.text(max_size=10).map("# {}".format),
    max_size=10,
)


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_any_header_gives_a_race_none_or_an_error(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "any.py"
    text = "\n".join(["# /// script", "# [tool.lrtui]", *lines, "# ///", ""])
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        tables = header_tables(path)
        if tables is not None:
            assert isinstance(load_header(path), Race)
    except LrtuiError as refused:
        assert_readable(refused)
