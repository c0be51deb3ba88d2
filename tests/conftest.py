"""What holds for all tests."""

import signal

# Under nohup a hang-up is ignored, by children too: the tests that send one ask for what a terminal's shell gives.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
