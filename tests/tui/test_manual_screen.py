"""The manual on the screen: from the help to every page and back, and a search over all."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

import pytest
from textual.widgets import Markdown, OptionList

from lrtui import manual
from lrtui.tui.screens.dialogs import FilterBar
from lrtui.tui.screens.help import Help
from lrtui.tui.screens.manual import ManualScreen, _passages
from lrtui.tui.screens.picker import Picker
from lrtui.tui.screens.race import RaceScreen
from lrtui.tui.tiers import Look
from support.viewer import Viewer


@pytest.fixture
def viewer(live: Path):
    with Viewer(live.parent, live, (80, 24)) as viewer:
        viewer.press("question_mark", "tab")
        shown(viewer, "screen")
        yield viewer


def shown(viewer: Viewer, topic: str) -> None:
    """Waits for a page."""
    text = manual.page(topic).text

    def there() -> bool:
        screen = viewer.screen
        return (
            isinstance(screen, ManualScreen)
            and not screen._loading.locked()
            and screen.query_one(Markdown).source == text
        )

    viewer.until(there, f"the page {topic}")
    assert f"Manual: {topic}, " in viewer.lines[0]


def search(viewer: Viewer, words: str) -> None:
    viewer.press("slash")
    viewer.until(lambda: isinstance(viewer.screen, FilterBar), "the line of the search")
    viewer.press(*words)
    viewer.press("enter")
    viewer.until(
        lambda: isinstance(viewer.screen, ManualScreen) and f'"{words}"' in viewer.text,
        "the search",
    )


def test_from_the_help_of_a_race_tab_leads_to_the_page_about_its_screen(viewer):
    assert "What the race screen shows" in viewer.text
    assert "Esc back" in viewer.lines[-1]


def test_the_help_says_so(live):
    with Viewer(live.parent, live, (60, 16)) as viewer:
        viewer.press("question_mark")
        assert isinstance(viewer.screen, Help)
        assert "Tab manual, any other key closes" in viewer.text


def test_each_page_is_one_key_away_and_has_the_passages_of_a_search(viewer):
    seen = []
    for _ in manual.TOPICS:
        viewer.press("tab")
        topic = re.search(r"Manual: ([\w-]+), ", viewer.lines[0])[1]
        shown(viewer, topic)
        seen.append(topic)
        texts = [each.text.lower() for each in _passages(viewer.screen.query_one(Markdown))]
        for words in ("step gain", "snapshot", "[", "$ lrtui", "rate", "`"):
            assert sum(words in text for text in texts) == sum(
                hit.topic == topic for hit in manual.search(words)
            ), (topic, words)
    assert sorted(seen) == sorted(manual.TOPICS)
    assert seen[-1] == "screen"
    viewer.press("shift+tab")
    shown(viewer, seen[-2])


def test_pages_that_are_turned_fast_end_with_the_last(viewer):
    viewer.keys("tab", "tab", "tab", "shift+tab", "tab", "tab")
    shown(viewer, manual.TOPICS[manual.TOPICS.index("screen") + 4])


def test_a_page_is_scrolled_and_the_next_begins_at_its_top(viewer):
    before = viewer.text
    viewer.press("j", "j")
    assert viewer.text != before
    viewer.press("k", "k")
    assert viewer.text == before
    viewer.press("end")
    viewer.until(lambda: "of a core." in viewer.text, "the end of the page")
    viewer.press("tab")
    shown(viewer, "control")
    viewer.until(lambda: "Change a running race" in viewer.text, "its top")


def test_q_and_the_key_of_the_help_lead_back_to_the_race(viewer):
    viewer.press("q")
    assert isinstance(viewer.screen, RaceScreen)
    viewer.press("question_mark", "tab")
    shown(viewer, "screen")
    viewer.press("question_mark")
    assert isinstance(viewer.screen, RaceScreen)


def test_a_search_goes_through_all_pages_that_have_the_words(viewer):
    search(viewer, "gain ratio")
    hits = manual.search("gain ratio")
    topics = [hit.topic for hit in hits]
    at = topics.index("screen") if "screen" in topics else 0
    for number in range(len(hits) + 1):
        hit = hits[(at + number) % len(hits)]
        viewer.until(lambda hit=hit: f"Manual: {hit.topic}, " in viewer.text, hit.topic)
        shown(viewer, hit.topic)
        viewer.until(
            lambda: "gain ratio" in " ".join("\n".join(viewer.lines[1:-1]).split()),
            "the words on the page",
        )
        viewer.press("n")
    viewer.press("N")


def test_the_topics_count_what_was_found_until_esc_ends_the_search(viewer):
    search(viewer, "snapshot")
    prompts = [str(option.prompt) for option in viewer.screen.query_one(OptionList).options]
    counts = {
        topic: len(list(hits))
        for topic, hits in groupby(manual.search("snapshot"), lambda hit: hit.topic)
    }
    assert prompts == [
        f"{topic} {counts[topic]}" if topic in counts else topic for topic in manual.TOPICS
    ]
    viewer.press("escape")
    viewer.until(
        lambda: isinstance(viewer.screen, ManualScreen) and '"snapshot"' not in viewer.text,
        "the manual without marks",
    )
    viewer.press("escape")
    assert isinstance(viewer.screen, RaceScreen)


def test_words_are_never_markup(viewer):
    search(viewer, "[snapshots]")
    assert '"[snapshots]" 1 of ' in viewer.lines[0]
    viewer.press("slash", "backspace", *"/red]")
    viewer.until(lambda: "no page has this" in viewer.text, "the answer")


def test_what_is_nowhere_is_said(viewer):
    viewer.press("slash")
    viewer.press(*"qwxyz")
    viewer.until(lambda: "no page has this" in viewer.text, "the answer")


def test_it_fits_every_size(viewer):
    for width, height in ((60, 16), (80, 24), (200, 50)):
        viewer.resize(width, height)
        shown(viewer, "screen")
        assert "What the race screen shows" in viewer.text
        assert ("streams" in viewer.text) is (width >= 72)


def test_the_picker_leads_to_the_page_about_scenarios(tmp_path, monkeypatch):
    monkeypatch.setattr("lrtui.tui.screens.picker.Picker._warm_up", lambda self: None)
    monkeypatch.setattr("lrtui.tui.screens.picker.Picker._preview", lambda self, path, race: None)
    with Viewer(tmp_path / "runs", size=(80, 24)) as viewer:
        viewer.press("question_mark", "tab")
        shown(viewer, "scenarios")
        viewer.press("escape")
        assert isinstance(viewer.screen, Picker)


def test_the_palette_has_the_manual(viewer):
    viewer.press("escape")
    viewer.press("ctrl+p")
    viewer.press(*"manual")
    viewer.until(lambda: "every page of `lrtui help`" in viewer.text, "the command in the palette")
    viewer.press("enter")
    viewer.until(lambda: isinstance(viewer.screen, ManualScreen), "the manual")


@pytest.mark.usefixtures("_usual_look")
@pytest.mark.parametrize(
    "look", [Look(colors="none", glyphs="ascii"), Look(colors="16", theme="light")]
)
def test_it_is_shown_in_any_look(live, look):
    with Viewer(live.parent, live, (80, 24), look=look) as viewer:
        viewer.press("question_mark", "tab")
        shown(viewer, "screen")
