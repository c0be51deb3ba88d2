"""The screens of the app, their dialogs, and the controllers of the race screen.

`race.py` composes and routes: keys and mouse go through the table in `race_actions.py` to plain
classes (`curve_actions.py`, `crosshair_actions.py`, `panel_actions.py`, `lane_list_actions.py`,
`lane_actions.py`, `report_actions.py`), which change the view or send commands and reach the
screen only through `ui.py`. Questions are data (`forms.py`, `command_forms.py`); `dialogs.py`
shows them. `picker.py`, `finder.py` and `manual.py` are the other screens.

Must not know: how a race is stored, trained or drawn (`render/`, by `race_painter.py`). The
controllers must not import Textual's widgets, screens or app.

Begin with `race.py` and `race_actions.py`.
"""
