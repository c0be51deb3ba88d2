"""The actions of the race screen: one table from names to methods. Knows no Textual."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lrtui.tui.screens.crosshair_actions import CrosshairActions
from lrtui.tui.screens.curve_actions import CurveActions
from lrtui.tui.screens.lane_actions import LaneActions
from lrtui.tui.screens.lane_list_actions import LaneListActions
from lrtui.tui.screens.panel_actions import PanelActions
from lrtui.tui.screens.widen_actions import WidenActions

Action = Callable[..., object]


class Controllers(NamedTuple):
    """The controllers of the race screen, and the actions that involve several."""

    curves: CurveActions
    crosshair: CrosshairActions
    panels: PanelActions
    lane_list: LaneListActions
    lanes: LaneActions
    widen: WidenActions

    def enter(self) -> None:
        """Enter: in the rate chart race beyond its edge, else enlarge the chosen lane."""
        if self.panels.shows("rates"):
            self.widen.widen()
        else:
            self.panels.enlarge()

    def move(self, dx: int, dy: int) -> None:
        """An arrow key: within the panel, or the crosshair, or to another lane."""
        if not (self.panels.move(dx, dy) or self.crosshair.move(dx)):
            self.lane_list.select_beside(dx, dy)

    def back(self) -> None:
        """Escape: to the panes; if shown, no crosshair; if there is none, fold the seeds; if they
        are folded, no filter."""
        if not (self.panels.back() or self.crosshair.hide() or self.panels.fold()):
            self.lane_list.clear_filter()

    def wheel(self, x: int, y: int, direction: int) -> bool:
        """The mouse wheel, -1: up; within a panel of lines or samples, or over a chart. False
        elsewhere."""
        return self.panels.wheel(x, y, direction) or self.curves.wheel(x, y, direction)


def action_table(controllers: Controllers) -> dict[str, Action]:
    """Controllers' methods by the names in `key_table.RACE`; the screen adds its own actions."""
    curves, crosshair, panels, lane_list, lanes, _ = controllers
    return {
        "move": controllers.move,
        "back": controllers.back,
        "next": lane_list.select_next,
        "choose": lane_list.select_number,
        "order": lane_list.next_order,
        "pin": lane_list.toggle_pin,
        "solo": lane_list.toggle_solo,
        "enlarge": controllers.enter,
        "overlay": panels.overlay,
        "rates": panels.rates,
        "filmstrip": panels.filmstrip,
        "differences": panels.differences,
        "log": panels.log,
        "console": panels.console,
        "scroll": panels.scroll,
        "time_base": panels.next_time_base,
        "smooth": curves.smooth,
        "log_axis": curves.toggle_y_log,
        "x_log": curves.toggle_x_log,
        "group": curves.next_group,
        "x_kind": curves.next_x_kind,
        "full_range": curves.toggle_full_range,
        "quantity": curves.change_quantity,
        "usual": curves.reset,
        "zoom": curves.zoom,
        "zoom_back": curves.zoom_back,
        "pan": curves.pan,
        "follow": curves.toggle_follow,
        "crosshair": crosshair.toggle,
        "cursor": crosshair.jump,
        "best": crosshair.to_best,
        "mark": crosshair.to_mark,
        "dial": lanes.scale,
        "rate": lanes.set_rate,
        "schedule": lanes.follow_schedule,
        "undo": lanes.undo,
        "pause": lanes.toggle_pause,
        "all_lanes": lanes.toggle_all_lanes,
        "fork": lanes.fork,
        "rewind": lanes.rewind,
        "restart": lanes.restart,
        "stop": lanes.stop,
        "cull": lanes.cull,
        "edit": lanes.edit,
        "lengthen": lanes.lengthen,
        "add": lanes.add,
        "resume": lanes.resume,
        "leave": lanes.leave,
    }
