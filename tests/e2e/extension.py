#!/usr/bin/env python3
"""A Serin extension of all three kinds. Protocol: docs/extensions.md.

Usage: extension.py PORT

metric: answers `config.good`, after it has asked for patience once.
step: waits until somebody opens the door `config.door` (POST /doors/<door> with `open`, `shut` or `broken`).
traffic: remembers the split of each Rollout; a real one would hand it to its proxy here.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DOORS = {}
SPLITS = {}
CALLS = []


def measure(question):
    config = question["config"]
    if config.get("broken"):
        raise ValueError("config.broken is set")
    if not question["state"]:
        return {"phase": "Running", "state": "begun", "requeueAfter": "1s"}
    return {"result": {"good": config["good"], "key": question["name"]}, "metadata": {"state": question["state"]}}


def run(question):
    door = question["config"]["door"]
    if DOORS.get(door) == "open":
        return {"phase": "Successful", "message": f"{door} is open"}
    if DOORS.get(door) == "broken":
        return {"phase": "Failed", "message": f"{door} is broken"}
    knocks = (question["state"] or {"knocks": 0})["knocks"] + 1
    return {"phase": "Running", "message": f"{door} is shut", "state": {"knocks": knocks}, "requeueAfter": "1s"}


def end(question):
    return {"phase": "Successful", "message": f"left {question['config']['door']} alone"}


def read(question):
    return {"split": SPLITS.get(rollout(question)), "applied": True}


def apply(question):
    SPLITS[rollout(question)] = question["split"]
    return {}


def rollout(question):
    return question["rollout"]["namespace"] + "/" + question["rollout"]["name"]


OPERATIONS = {
    "/v1/metric/measure": measure,
    "/v1/step/run": run, "/v1/step/terminate": end, "/v1/step/abort": end,
    "/v1/traffic/read": read, "/v1/traffic/apply": apply,
}


class Extension(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/doors/"):
            DOORS[self.path.removeprefix("/doors/")] = body.decode()
            return self.answer(200, {})
        try:
            question = json.loads(body)
            if self.path not in OPERATIONS or question["protocol"] != "serin.dev/v1":
                return self.answer(404, {"error": f"{self.path} is not served"})
            CALLS.append({"path": self.path, "question": question})
            self.answer(200, OPERATIONS[self.path](question))
        except (KeyError, TypeError, ValueError) as error:
            self.answer(400, {"error": str(error)})

    def do_GET(self):
        """What it was asked, for tests."""
        self.answer(200, CALLS)

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
