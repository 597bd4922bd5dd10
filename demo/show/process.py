"""Starts programs that run beside the demo, keeps their output in files, and ends them by their id."""

import ctypes
import os
import signal
import subprocess
import sys
import time

from .failure import DemoFailed, Interrupted

PR_SET_PDEATHSIG = 1


def _die_with_the_demo():
    """Asks the kernel to end this child when the demo is killed and cannot clean up. Linux only; elsewhere a no-op."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Beside:
    """One program that runs beside the demo; with `outlives` also when the demo is gone."""

    def __init__(self, name, command, log, outlives=False):
        self.name = name
        self.log = log
        with open(log, "wb") as out:
            # A session of its own: Ctrl-C reaches the demo alone, which then ends its children in the right order.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=None if outlives else _die_with_the_demo,
            )

    def running(self):
        return self.process.poll() is None

    def must_run(self):
        if not self.running():
            raise DemoFailed(
                f"{self.name} ended by itself with code {self.process.returncode}; its last lines:\n{self.tail(15)}"
            )

    def tail(self, lines):
        """The last `lines` lines that the program wrote."""
        try:
            with open(self.log, "rb") as file:
                file.seek(max(0, os.path.getsize(self.log) - 64 * 1024))
                text = file.read().decode(errors="replace")
        except OSError as error:
            return f"(no log: {error})"
        return "\n".join(text.splitlines()[-lines:])

    def stop(self, seconds=10):
        """SIGTERM, and SIGKILL when that was not enough within `seconds`."""
        if not self.running():
            return
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)


def run_shown(command, what, env=None, cwd=None):
    """Runs `command` with its words on the terminal: for what takes minutes and says how far it is.

    Raises DemoFailed, naming `what`, when it fails. When the demo is interrupted the whole family of the command is
    asked to end, and gets the time to clean up.
    """
    sys.stdout.flush()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=env, cwd=cwd, start_new_session=True)
    try:
        code = child.wait()
    except Interrupted:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(60)
        raise
    if code:
        raise DemoFailed(f"{what} failed (see above)")


def run(command, what, seconds, text_in=None, env=None):
    """Runs `command` to its end and returns its standard output.

    Raises DemoFailed, naming `what`, when it fails or takes longer than `seconds`.
    """
    try:
        done = subprocess.run(
            command, input=text_in, capture_output=True, text=True, timeout=seconds, env={**os.environ, **(env or {})},
        )
    except subprocess.TimeoutExpired:
        raise DemoFailed(f"{what}: no end within {seconds} s ({' '.join(command)})") from None
    except OSError as error:
        raise DemoFailed(f"{what}: {error}") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise DemoFailed(f"{what}: {' '.join(command)} ended with code {done.returncode}:\n{said}")
    return done.stdout


def wait_until(what, seconds, check, every=0.25, watch=()):
    """Calls `check` until it returns something true, and returns that.

    Raises DemoFailed, naming `what`, after `seconds`, or at once when one of the programs in `watch` has ended.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        for program in watch:
            program.must_run()
        if time.monotonic() > deadline:
            raise DemoFailed(f"waited {seconds} s for {what}")
        time.sleep(every)
