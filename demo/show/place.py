"""Where the demo plays: in the testbed of this checkout, or on a cluster of the user's own."""

import ctypes
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .failure import DemoFailed
from .load import answers, free_port
from .process import run, run_shown

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLUSTER = os.path.join(ROOT, "testbed", "cluster")
CLONE_NEWNET = 0x40000000


class Testbed:
    """The real single-node cluster that testbed/ builds and starts, in a network namespace of its own."""

    gateway = "http://127.0.0.1:8000/"
    prometheus_url = "http://127.0.0.1:9090"
    image = "local/serin-demo:1"
    gateway_ref = None

    def __init__(self, screen, folder):
        self.screen, self.folder = screen, folder
        self.outside = None
        self.touched = self.was_up = False
        self.addons = []

    def up(self):
        self.was_up = self._cluster("status", check=False) == 0
        if self.was_up:
            self.screen.tell("the cluster is already up: it is used, and left up at the end")
        else:
            self.touched = True
            run_shown([CLUSTER, "up"], "starting the testbed", env=_without_own())
        for line in self._say("env").splitlines():
            for word in shlex.split(line):
                name, sign, value = word.partition("=")
                if sign and name.isidentifier():
                    os.environ[name] = value.replace("$PATH", os.environ["PATH"])
        # A proxy that the environment names must not see the traffic of this cluster.
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"

    def prepare(self, app):
        """Loads the image of the demo and starts gateway and Prometheus: before `enter`, for some of it is fetched."""
        self.screen.tell("loading the demo's image, starting Traefik and Prometheus")
        self._say("image", self.image, str(app), what="loading the demo's image")
        self._say("addon", "gateway-api", what="installing the CRDs of the Gateway API")
        self.addons.append("traefik")
        self._say("addon", "traefik", "start", what="starting Traefik")
        self.start_prometheus()

    def start_prometheus(self):
        if "prometheus" not in self.addons:
            self.addons.append("prometheus")
        self._say("addon", "prometheus", "start", os.path.join(ROOT, "demo", "prometheus.yml"), what="starting Prometheus")

    def stop_prometheus(self):
        self._say("addon", "prometheus", "stop", what="stopping Prometheus")

    def enter(self):
        """Moves this process, and so all it starts, into the network of the cluster."""
        self.outside = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        inside = os.open(f"/run/netns/{os.environ['SERIN_NETNS']}", os.O_RDONLY | os.O_CLOEXEC)
        _set_network(inside)
        os.close(inside)

    def leave(self):
        if self.outside is not None:
            _set_network(self.outside)
            os.close(self.outside)
            self.outside = None

    def logs(self, name, lines):
        done = subprocess.run([CLUSTER, "logs", name, "-n", str(lines)], capture_output=True, text=True, env=_without_own())
        return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).strip()

    def clean(self, kube):
        if self.touched:
            self.leave()
            self._say("down", what="taking the cluster down", seconds=120)
            return
        for name in self.addons:
            self._cluster("addon", name, "stop", check=False)
        if kube:
            kube.run("delete", "namespace", "demo", "--ignore-not-found", "--timeout=60s", namespaced=False, seconds=90)
        self.leave()

    def controller_flags(self):
        return []

    def hints(self):
        return [("take everything down", "./dev cluster down")]

    def shell(self, command):
        return f"./dev cluster exec {command}"

    def _say(self, *words, what=None, seconds=300):
        return run([CLUSTER, *words], what or f"cluster {words[0]}", seconds, env={"SERIN_KUBECONFIG": ""})

    def _cluster(self, *words, check=True):
        done = subprocess.run([CLUSTER, *words], capture_output=True, text=True, env=_without_own())
        if check and done.returncode:
            raise DemoFailed(f"cluster {' '.join(words)}: {done.stderr.strip()[-1000:]}")
        return done.returncode


def _without_own():
    return {**os.environ, "SERIN_KUBECONFIG": ""}


def _set_network(descriptor):
    # os.setns came with Python 3.12.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise DemoFailed(f"cannot enter the network of the cluster: {os.strerror(ctypes.get_errno())}")


EXPECTS = """A cluster of your own needs:
  --kubeconfig FILE      with rights to create CRDs, a namespace `demo` and everything in it
  --gateway URL          where a Gateway of the cluster answers from here, for example http://127.0.0.1:8000/
  --gateway-ref NS/NAME  that Gateway; its HTTP listener must allow routes from the namespace `demo`
  --prometheus URL       a Prometheus that scrapes the pods of `demo` (port named http) about once a second, with the
                         pod's labels and its name as label `pod`: job demo-pods of demo/prometheus.yml
  --image REF            the image of demo/app as the nodes know it, default local/serin-demo:1; demo/run --build-image
                         writes it to target/demo/serin-demo.tar for, say, kind load image-archive
and no other controller of Argo Rollouts or Serin: this one runs on your machine."""


class Own:
    """A cluster of the user's own. Nothing in it is changed but the CRDs and the namespace `demo`."""

    def __init__(self, screen, kubeconfig, gateway, gateway_ref, prometheus, image):
        missing = [name for name, value in (("--gateway", gateway), ("--gateway-ref", gateway_ref),
                                            ("--prometheus", prometheus)) if not value]
        if missing:
            raise DemoFailed(f"{' and '.join(missing)} must be given with --kubeconfig.\n{EXPECTS}")
        self.screen, self.gateway, self.gateway_ref = screen, gateway, gateway_ref
        self.kubeconfig, self.image = os.path.abspath(kubeconfig), image or Testbed.image
        # Somebody else may need that Prometheus: only the way to it is cut.
        self.relay = Relay(prometheus)
        self.prometheus_url = self.relay.url

    def up(self):
        if not os.access(self.kubeconfig, os.R_OK):
            raise DemoFailed(f"cannot read the kubeconfig {self.kubeconfig}")
        os.environ["KUBECONFIG"] = self.kubeconfig
        if not shutil.which("kubectl"):
            raise DemoFailed("kubectl is not on the PATH")

    def prepare(self, app):
        self.start_prometheus()
        if not answers(f"{self.prometheus_url}/api/v1/query?query=1"):
            raise DemoFailed(f"no Prometheus answers at {self.relay.target}.\n{EXPECTS}")

    def start_prometheus(self):
        self.relay.start()

    def stop_prometheus(self):
        self.relay.stop()

    def enter(self):
        pass

    def leave(self):
        pass

    def logs(self, name, lines):
        return ""

    def clean(self, kube):
        self.relay.stop()
        if kube:
            kube.run("delete", "namespace", "demo", "--ignore-not-found", "--timeout=60s", namespaced=False, seconds=90)
            self.screen.tell("the CRDs of argoproj.io are left in the cluster")

    def controller_flags(self):
        # Nobody else's Rollouts are touched; and on a person's machine the usual ports may be taken.
        return ["--namespaced", "--namespace=demo", f"--metricsPort={free_port()}", f"--healthzPort={free_port()}"]

    def hints(self):
        return [("take everything away", f"{self.shell('kubectl delete namespace demo')}; kill the controller and the load (target/demo/kept.json)")]

    def shell(self, command):
        return f"KUBECONFIG={shlex.quote(self.kubeconfig)} {command}"


class Relay:
    """A loopback address that stands for a Prometheus, and can be cut off without touching it."""

    def __init__(self, target):
        self.target = target.rstrip("/")
        self.server = None
        self.port = 0
        self.start()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        if self.server is None:
            self.server = ThreadingHTTPServer(("127.0.0.1", self.port), _forwarder(self.target))
            self.port = self.server.server_address[1]
            threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


def _forwarder(target):
    class Forward(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name: self.headers[name] for name in ("Content-Type", "Accept") if self.headers[name]}
            request = urllib.request.Request(target + self.path, self.rfile.read(length) or None, headers, method=self.command)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    code, kind, body = answer.status, answer.headers.get("Content-Type"), answer.read()
            except urllib.error.HTTPError as answer:
                code, kind, body = answer.code, answer.headers.get("Content-Type"), answer.read()
            except OSError as error:
                code, kind, body = 502, "text/plain", str(error).encode()
            self.send_response(code)
            self.send_header("Content-Type", kind or "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    return Forward


if sys.version_info < (3, 9):
    raise SystemExit("the demo needs Python 3.9 or newer")
