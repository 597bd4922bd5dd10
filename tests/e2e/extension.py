#!/usr/bin/env python3
"""A Serin extension: measures how many of the last answers of a service were good. Protocol: docs/extensions.md.

Usage: extension.py PORT. `config.good` is the number that it measures.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def measure(question):
    """The answer to one question: the first time it asks for patience, then it gives a result."""
    config = question["config"]
    if config.get("broken"):
        raise ValueError("config.broken is set")
    if not question["state"]:
        return {"phase": "Running", "state": "begun", "requeueAfter": "1s"}
    return {"result": {"good": config["good"], "key": question["name"]}, "metadata": {"state": question["state"]}}


class Extension(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        try:
            question = json.loads(self.rfile.read(length))
            if self.path != "/v1/metric/measure" or question["protocol"] != "serin.dev/v1":
                return self.answer(404, {"error": f"{self.path} is not served"})
            self.answer(200, measure(question))
        except (KeyError, ValueError) as error:
            self.answer(400, {"error": str(error)})

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Extension).serve_forever()
