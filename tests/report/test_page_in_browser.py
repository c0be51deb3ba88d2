"""The page in a real browser: nothing leaves it, what is pointed at says its own numbers, hands and
keys do what they say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lrtui.client.follower import Follower
from lrtui.core.protocol.events import Evaluated
from lrtui.core.series.ema import TensorBoardEma
from lrtui.report.page import page
from support.browser import MISSING, Browser, browser
from support.fake_run import KINDS, at, losses, make_run, say
from support.fake_script import make_script_run

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.xdist_group("browser")]
PLACE = (
    "const box = document.getElementById('chart').getBoundingClientRect(); return [box.left,"
    " box.top, box.width, box.height]"
)
ROWS = """return [...document.querySelectorAll('#values tr')].map(
  row => [row.dataset.lane, [...row.cells].slice(1).map(cell => cell.textContent)])"""
HEAD = "return document.querySelector('#values .at').textContent"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("page")
    follower = Follower(
        make_run(folder / "runs", KINDS, title="</script><img src=x onerror=alert(1)>")
    )
    follower.catch_up()
    (folder / "page.html").write_text(page(follower), encoding="utf-8")
    follower.close()
    with browser(folder / "profile") as window:
        window.post("/url", {"url": "about:blank"})
        window.requests()
        window.page = folder / "page.html"
        yield window


@pytest.fixture
def fresh(window: Browser) -> Browser:
    """The page anew, the chart in sight."""
    window.resize(1400, 900)
    window.open(window.page)
    window.run("document.getElementById('chart').scrollIntoView({block: 'center'})")
    return window


def x_of(window: Browser, step: float, start: float = 0, stop: float = 199) -> tuple[float, float]:
    """Where a step lies in the viewport, at half the chart's height."""
    left, top, width, height = window.run(PLACE)
    return left + 64 + (step - start) / (stop - start) * (width - 64 - 12), top + height / 2


def said(window: Browser) -> dict[str, list[str]]:
    """What the box of values says of each lane, from the top down."""
    return dict(window.run(ROWS))


def words(value: float) -> str:
    """A number as the page writes it, above a thousandth."""
    return f"{value:#.4g}"


def test_no_request_leaves_it_and_nothing_is_complained_of(fresh):
    addresses = [one for one in fresh.requests() if not one.startswith("data:image/png;base64,")]
    assert set(addresses) == {fresh.page.as_uri()}
    assert fresh.complaints() == []
    assert (
        fresh.run(
            "return performance.getEntriesByType('resource').filter(one =>"
            " !one.name.startsWith('data:')).length"
        )
        == 0
    )
    assert (
        fresh.run("return document.querySelector('h1').textContent")
        == "</script><img src=x onerror=alert(1)>"
    )


@pytest.mark.parametrize("step", [0, 7, 36, 100, 199])
def test_a_step_that_is_pointed_at_says_the_loss_of_each_lane(fresh, step):
    fresh.hover(*x_of(fresh, step))
    assert fresh.run(HEAD) == f"step {step}"
    rows = said(fresh)
    expected = {
        letter: words(float(np.float32(losses(kind)[step])))
        for letter, kind in zip("ABCDEF", KINDS, strict=True)
        if step < {"explodes": 37, "breaks": 10, "rests": 60}.get(kind, 200)
    }
    assert {letter: cells[0] for letter, cells in rows.items() if cells[0] != "–"} == expected
    shown = [float(cells[0]) for cells in rows.values() if cells[0] != "–"]
    assert shown == sorted(shown)


def test_smoothing_shows_tensorboards_numbers(fresh):
    slider = (
        "const one = document.getElementById('smooth'); one.value = 0.9; one.dispatchEvent(new"
        " Event('input'))"
    )
    fresh.run(slider)
    fresh.hover(*x_of(fresh, 150))
    average = TensorBoardEma(0.9).extend(losses("steady").astype("f4"))[150]
    assert said(fresh)["A"] == [words(average), words(float(np.float32(losses("steady")[150])))]


def test_the_legend_hides_a_lane_and_shows_it_again(fresh):
    for there in (False, True):
        fresh.click("#legend button[data-lane='2']")
        fresh.hover(*x_of(fresh, 100))
        assert ("C" in said(fresh)) == there
        assert (
            fresh.run(
                "return document.querySelector('[data-lane=\"2\"]').getAttribute('aria-pressed')"
            )
            == str(there).lower()
        )


def test_dragging_zooms_in_and_a_double_click_shows_all_of_it(fresh):
    fresh.drag(x_of(fresh, 50), x_of(fresh, 100))
    for step in (50, 75, 100):
        fresh.hover(*x_of(fresh, step, 50, 100))
        assert fresh.run(HEAD) == f"step {step}"
    assert not fresh.run("return document.getElementById('reset').disabled")
    fresh.run("document.getElementById('chart').dispatchEvent(new MouseEvent('dblclick'))")
    fresh.hover(*x_of(fresh, 30))
    assert fresh.run(HEAD) == "step 30"


def test_two_fingers_zoom_on_a_phone_and_the_values_stand_below(fresh):
    fresh.resize(390, 844)
    fresh.run("document.getElementById('chart').scrollIntoView({block: 'center'})")
    left, top, width, height = fresh.run(PLACE)
    assert (
        fresh.run("return document.getElementById('values').getBoundingClientRect().top")
        >= top + height
    )
    (near, y), (far, _) = x_of(fresh, 80), x_of(fresh, 120)
    fresh.pinch((near, far), (left + 64, left + width - 12), y)
    fresh.run("document.getElementById('chart').focus()")
    fresh.press("\ue011")
    assert 78 <= int(fresh.run(HEAD).split()[1]) <= 82
    fresh.press("\ue010")
    assert 118 <= int(fresh.run(HEAD).split()[1]) <= 122


def test_the_keyboard_does_it_all(fresh):
    fresh.run("document.getElementById('chart').focus()")
    fresh.press("\ue014")  # right: the line appears beside the middle
    first = int(fresh.run(HEAD).split()[1])
    fresh.press("\ue014\ue014")
    assert int(fresh.run(HEAD).split()[1]) > first
    log, axis = (f"return document.getElementById('{name}')" for name in ("log", "axis"))
    assert fresh.run(log + ".checked")
    fresh.press("y")
    assert not fresh.run(log + ".checked")
    fresh.press("t")
    assert fresh.run(axis + ".value") == "epoch"
    fresh.press("sm")
    assert fresh.run("return document.getElementById('weight').textContent") == "0.6"
    assert fresh.run("return document.getElementById('quantity').value") == "1"
    fresh.press("\ue014+")
    assert not fresh.run("return document.getElementById('reset').disabled")
    fresh.press("0\ue00c")
    assert fresh.run("return document.getElementById('reset').disabled")
    assert fresh.run("return document.getElementById('values').hidden")


def test_validation_and_other_axes_have_their_numbers(fresh):
    choose = (
        "const one = document.getElementById(arguments[0]); one.value = arguments[1];"
        " one.dispatchEvent(new Event('change'))"
    )
    fresh.run(choose, "quantity", "1")
    fresh.hover(*x_of(fresh, 99))
    assert said(fresh)["A"][0] == words(float(np.float32(1.5 * float(losses("steady")[99]))))
    fresh.run(choose, "quantity", "0")
    fresh.run(choose, "axis", "time")
    fresh.hover(*x_of(fresh, 5.0, 0, 10.0))
    assert fresh.run(HEAD) == "after 5 s"
    assert said(fresh)["A"][0] == words(float(np.float32(losses("steady")[99])))


def test_the_button_turns_it_dark_and_light_again(fresh):
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = fresh.run(ground)
    fresh.click("#theme")
    assert fresh.run(ground) == "rgb(20, 24, 29)"
    fresh.click("#theme")
    assert fresh.run(ground) == light == "rgb(255, 255, 255)"


@pytest.mark.parametrize("width", [320, 390, 768, 1400])
def test_it_is_as_wide_as_the_window(fresh, width):
    fresh.resize(width, 844)
    assert fresh.run("return document.documentElement.scrollWidth") == width
    outside = """return [...document.querySelectorAll('main *')].filter(one => !one.closest('pre, .wide, svg') &&
      one.getBoundingClientRect().right > innerWidth + 1).map(one => one.tagName + one.id)"""
    assert fresh.run(outside) == []


def test_a_dark_system_gets_a_dark_page(window, tmp_path):
    with browser(tmp_path / "profile", dark=True) as dark:
        dark.open(window.page)
        assert (
            dark.run("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
        )


def test_metrics_may_be_called_like_what_every_object_has(window, tmp_path):
    run = make_run(tmp_path / "runs", ("steady", "x" * 2000), over=False)
    say(
        run,
        Evaluated(
            lane=1,
            at=at(200),
            epoch=10,
            step=200,
            loss=1.0,
            metrics={"constructor": 0.25, "__proto__": 0.5},
        ),
    )
    follower = Follower(run)
    follower.catch_up()
    (tmp_path / "page.html").write_text(page(follower), encoding="utf-8")
    follower.close()
    window.resize(390, 844)
    window.open(tmp_path / "page.html")
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert window.run(wide) <= 0
    for name, value in (("constructor", "0.2500"), ("__proto__", "0.5000")):
        window.run(
            "const one = document.getElementById('quantity'), places = [...one.options].map(option"
            " => option.text); one.selectedIndex = places.indexOf(arguments[0]);"
            " one.dispatchEvent(new Event('change'))",
            name,
        )
        window.run("document.getElementById('chart').scrollIntoView({block: 'center'})")
        window.hover(*x_of(window, 199))
        assert {letter: cells[0] for letter, cells in said(window).items() if cells[0] != "–"} == {
            "B": value
        }
    assert window.complaints() == []


def test_a_script_has_no_axis_of_epochs_or_samples(window, tmp_path):
    follower = Follower(make_script_run(tmp_path, over="finished", live=False))
    follower.catch_up()
    (tmp_path / "script.html").write_text(page(follower), encoding="utf-8")
    follower.close()
    window.open(tmp_path / "script.html")
    values = "return [...document.getElementById('axis').options].map(one => one.value)"
    assert window.run(values) == ["step", "wall", "time"]
    labels = "return [...document.getElementById('quantity').options].map(one => one.text)"
    assert "validation loss" in window.run(labels)
