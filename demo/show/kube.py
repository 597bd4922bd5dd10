"""Talks to the cluster through kubectl."""

import json
import subprocess

from .process import run


class Kube:
    """kubectl for one cluster and one namespace."""

    def __init__(self, kubeconfig, namespace, cache):
        self.command = ["kubectl", f"--kubeconfig={kubeconfig}", f"--cache-dir={cache}", "--request-timeout=10s"]
        self.namespace = namespace

    def run(self, *words, what=None, seconds=30, text_in=None, namespaced=True):
        where = [f"--namespace={self.namespace}"] if namespaced else []
        return run([*self.command, *where, *words], what or f"kubectl {' '.join(words[:2])}", seconds, text_in=text_in)

    def json(self, *words, **more):
        return json.loads(self.run(*words, "-o", "json", **more))

    def try_json(self, *words):
        """As `json`, but None where the object is absent or the API server does not answer."""
        command = [*self.command, f"--namespace={self.namespace}", *words, "-o", "json"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=15)
            return json.loads(done.stdout) if done.returncode == 0 else None
        except (subprocess.TimeoutExpired, ValueError):
            return None

    def apply(self, path, what):
        self.run("apply", "--server-side", "--force-conflicts", "-f", str(path), what=what, seconds=60, namespaced=False)

    def patch(self, target, patch, what):
        """A JSON patch."""
        self.run("patch", target, "--type=json", "-p", json.dumps(patch), what=what)
