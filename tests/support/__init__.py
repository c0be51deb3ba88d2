"""Builders, fakes and references that several test files share: `from support.builders import make_race`.

Nothing here is a test, and no test module imports from another one.
"""
