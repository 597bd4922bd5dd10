"""The load generator: started beside the demo, asked for its counters, ended for its report."""

import json
import socket
import urllib.request

from .failure import DemoFailed
from .process import Beside, wait_until

# Never through a proxy that the environment names: all of this is on the loopback device.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(url, seconds=3):
    """The JSON at `url`, or None."""
    try:
        with _direct.open(url, timeout=seconds) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None


def answers(url, host=None, seconds=3):
    """Whether `url` answers 2xx."""
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with _direct.open(request, timeout=seconds) as answer:
            return 200 <= answer.status < 300
    except (OSError, ValueError):
        return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Load:
    """A steady load on `url`."""

    def __init__(self, app, url, host, rps, folder, outlives=False):
        status_port = free_port()
        self.report_file = folder / "load.json"
        self.status = f"http://127.0.0.1:{status_port}/"
        self.program = Beside("the load generator", [
            str(app), "load", "--url", url, "--host", host, "--rps", str(rps), "--keep-alive", "0.8",
            "--status", f"127.0.0.1:{status_port}", "--report-file", str(self.report_file),
        ], folder / "load.log", outlives)
        wait_until("the load generator to send", 10, lambda: (self.counters() or {}).get("counts", {}).get("sent"),
                   watch=[self.program])

    def counters(self, last=5):
        return fetch(f"{self.status}?last={last}")

    def report(self):
        """The report so far, while the load goes on."""
        report = self.counters(last=10**6)
        if report is None:
            raise DemoFailed(f"the load generator does not answer\n{self.program.tail(10)}")
        return report

    def finish(self):
        """Ends the load and returns its report. Raises DemoFailed when there is none."""
        self.program.stop(15)
        try:
            return json.loads(self.report_file.read_text())
        except (OSError, ValueError) as error:
            raise DemoFailed(f"no report of the load: {error}\n{self.program.tail(10)}") from None
