"""The guard of the suite itself: a test that leaves something behind fails and is told what."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

LEAKS = """
import subprocess, sys, threading, time
import zmq

kept = []

def test_process():
    kept.append(subprocess.Popen(["sleep", "3"]))

def test_zombie():
    kept.append(subprocess.Popen(["true"]))

def test_thread():
    thread = threading.Thread(target=time.sleep, args=(1.0,), name="busybody")
    thread.start()

def test_socket():
    context = zmq.Context()
    kept.append((context, context.socket(zmq.PUSH)))

def test_context():
    kept.append(zmq.Context())

def test_clean():
    with zmq.Context() as context, context.socket(zmq.PUSH):
        thread = threading.Thread(target=time.sleep, args=(0.05,))
        thread.start()
"""


@pytest.fixture
def pytester_with_guard(pytester: pytest.Pytester) -> pytest.Pytester:
    guard = CONFTEST.read_text(encoding="utf-8")
    assert "GRACE_S = 2.0" in guard
    pytester.makeconftest(guard.replace("GRACE_S = 2.0", "GRACE_S = 0.1"))
    pytester.makepyfile(LEAKS)
    return pytester


def test_each_leak_is_named(pytester_with_guard: pytest.Pytester) -> None:
    result = pytester_with_guard.runpytest_subprocess("-q")
    result.assert_outcomes(passed=6, errors=5)
    result.stdout.fnmatch_lines_random(
        [
            "*left behind: process * (sleeping): sleep 3*",
            "*left behind: process * (ended, but nobody waited for it): true*",
            "*left behind: thread busybody*",
            "*left behind: ZeroMQ context with PUSH*",
            "*left behind: ZeroMQ context with no socket*",
        ]
    )
