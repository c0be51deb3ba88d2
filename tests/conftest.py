"""What holds for all tests."""

import itertools
import signal

import pytest

# Under nohup a hang-up is ignored, by children too: the tests that send one ask for what a
# terminal's shell gives.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

_homes = itertools.count()


@pytest.fixture(autouse=True)
def _nobodys_interrupts():
    """A command that was interrupted in this process takes no heed of further interrupts: the next
    test does."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch, tmp_path_factory):
    """No test depends on the settings of whoever runs it, or on what another test chose to see."""
    home = tmp_path_factory.getbasetemp() / f"home-{next(_homes)}"
    monkeypatch.setenv("LRTUI_CONFIG", str(home / "settings.toml"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
