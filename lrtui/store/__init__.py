"""The run directory and its database: the only channel between those who train and those who watch. Knows no torch."""
