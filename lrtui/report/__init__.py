"""What is left of a race: printed for the scrollback, as one page, as a chart, as tables of numbers. Knows no screen."""
