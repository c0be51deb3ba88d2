"""The screen: a Textual application that draws a race from plain values. Knows client, core and
store, never torch.

`screens/` compose and route keys, `render/` draws on canvases of characters and knows no Textual,
`keys.py` is the one table of keys, `view.py` holds what a viewer has chosen to see. A look polls
the record, and only what moved is drawn: few bytes over SSH. Begin with `screens/race.py`, then
`render/pane.py`.
"""
