"""Remembers the programs that --keep leaves running, so that the next demo can end exactly those."""

import json
import os
import signal
import time


def note(folder, programs):
    _file(folder).write_text(json.dumps([[one.process.pid, _born(one.process.pid)] for one in programs]))


def end(folder):
    """Ends what an earlier demo left. A process id that was used again has another birth, and is not touched."""
    try:
        known = json.loads(_file(folder).read_text())
    except (OSError, ValueError):
        return
    for pid, born in known:
        if born is not None and _born(pid) == born:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 10
            while _born(pid) == born and time.monotonic() < deadline:
                time.sleep(0.1)
            if _born(pid) == born:
                os.kill(pid, signal.SIGKILL)
    _file(folder).unlink(missing_ok=True)


def _file(folder):
    return folder / "kept.json"


def _born(pid):
    """Start time of a process in clock ticks since boot, or None. Linux only: elsewhere nothing is ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            # The name, in parentheses, may hold anything; field 22 is the 20th after it.
            fields = file.read().rpartition(")")[2].split()
            return None if fields[0] == "Z" else fields[19]
    except OSError:
        return None
