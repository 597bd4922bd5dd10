#!/usr/bin/env python3
"""Receives notifications for tests: POST keeps a message, GET gives all of them as a JSON list.

Usage: receiver.py PORT
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MESSAGES = []


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        MESSAGES.append({"path": self.path, "token": self.headers.get("X-Token"), "body": body})
        self.answer({})

    def do_GET(self):
        self.answer(MESSAGES)

    def answer(self, body):
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Receiver).serve_forever()
