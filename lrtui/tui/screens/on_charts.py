"""Guards actions that change only the charts. Knows no Textual."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from lrtui.core.errors import LrtuiError
from lrtui.tui.view import CHART_PANELS, RaceView


class _HasView(Protocol):
    view: RaceView


C = TypeVar("C", bound=_HasView)
P = ParamSpec("P")


def on_charts(action: Callable[Concatenate[C, P], None]) -> Callable[Concatenate[C, P], None]:
    """Refuse an action while no chart is visible, so that a key changes nothing unseen."""

    @wraps(action)
    def checked(controller: C, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if controller.view.panel not in CHART_PANELS:
            raise LrtuiError(
                f"this acts on the curves: {controller.view.keymap.read('view.back')} shows them"
            )
        action(controller, *args, **kwargs)

    return checked
