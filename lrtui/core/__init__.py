"""Plain values and pure verbs: what a race is, what happens in it, what it means. Knows no torch and no screen."""
