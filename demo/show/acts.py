"""The three acts: a good version is promoted, a bad one is taken back, and one waits while nobody can measure."""

import json
import time

from .failure import DemoFailed
from .terminal import BLUE, BOLD, DIM, GREEN, RED, YELLOW, bar, thousands
from .view import View, describe, is_bad, said, window_end

WATCHED = "rollouts.argoproj.io,analysisruns.argoproj.io,pods,httproutes.gateway.networking.k8s.io"

# How long each act may take at most. Far more than it takes on two slow cores: a deadline that is met now and then is
# no deadline.
PROMOTION, ABORT, BACK, HELD, SETTLED = 180, 120, 60, 25, 90

OUTCOMES = {"good": "version 2 promoted", "bad": "version 3 taken back", "blind": "version 4 held, then promoted"}


class Stage:
    """What the acts play on: the cluster, the load, the controller and the terminal."""

    def __init__(self, screen, kube, serin, place, programs):
        self.screen, self.kube, self.serin, self.place, self.programs = screen, kube, serin, place, programs
        self.load = None
        self.told = {}
        self.shown_windows = set()
        self.view = View(None)
        self.counters = {}

    def look(self):
        """Reads everything once and shows it. A cluster that does not answer for a moment shows as the last look."""
        objects = self.kube.try_json("get", WATCHED)
        if objects:
            self.view = View(objects)
        if self.load:
            self.counters = self.load.counters() or self.counters
        for program in self.programs():
            program.must_run()
        self.tell_changes()
        self.draw()
        return self.view

    def until(self, what, seconds, check):
        """Looks once a second until `check(view)` is true; raises DemoFailed after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            began = time.monotonic()
            if check(self.look()):
                return
            if time.monotonic() > deadline:
                raise DemoFailed(f"waited {seconds} s for {what}\n  last seen: {self.state()}")
            time.sleep(max(0, 1 - (time.monotonic() - began)))

    def state(self):
        view = self.view
        return f"phase {view.phase or '?'} ({view.message}), step {view.step}, weights {view.weights()}"

    # What stays on the screen: one line for each thing that changed.

    def tell_changes(self):
        view = self.view
        self._tell_windows()
        self._once("weights", view.weights(), lambda weights: self._tell_weights(*weights))
        if view.step is not None and view.step < len(view.steps):
            self._once("step", view.step, lambda step: self.screen.tell(
                f"step {step + 1}/{len(view.steps)}: {describe(view.steps[step])}", DIM))
        self._once("phase", view.phase and (view.phase, view.message), lambda now: self._tell_phase(*now))

    def _tell_windows(self):
        view = self.view
        run = (view.run() or {}).get("metadata", {}).get("uid")
        for metric, one in view.measurements():
            key = (run, metric, one.get("startedAt"))
            if one.get("finishedAt") and key not in self.shown_windows:
                self.shown_windows.add(key)
                colour = YELLOW if is_bad(one) or one.get("phase") == "Error" else BLUE
                self.screen.tell(said(metric, one), colour)

    def _once(self, key, value, tell):
        if value and self.told.get(key) != value:
            tell(value)
        self.told[key] = value

    def _tell_weights(self, stable, canary):
        self.screen.tell(f"traffic: stable {stable} %, canary {canary} %", BOLD)

    def _tell_phase(self, phase, message):
        colour = {"Healthy": GREEN, "Degraded": RED, "Paused": YELLOW}.get(phase, DIM)
        # The reasons of an abort have just been told by the window that decided.
        why = message.partition(" due to ")[0]
        self.screen.tell(f"{phase}{': ' + why if why else ''}", colour)

    def quote(self, text):
        """What a command said."""
        for line in text.strip().splitlines():
            self.screen.say("\n".join(self.screen.wrap("        ", line)), DIM)

    # What is redrawn each second.

    def draw(self):
        view, screen = self.view, self.screen
        stable, canary = view.weights() or (0, 0)
        line = f"{bar(stable, 40)} {canary:3d} % canary"
        if view.step is not None:
            line += f"   step {min(view.step + 1, len(view.steps))}/{len(view.steps)}"
        lines = ["", f"  traffic  {screen.paint(line, BOLD)}", f"  answers  {self.answers()}"]
        for result in view.results():
            last = (result.get("measurements") or [{"message": "nothing measured yet"}])[-1]
            lines += screen.wrap("  evidence ", said(result["name"], last))
        for gate in view.gates:
            until = f" until {gate['until'][11:19]}" if gate.get("until") else ""
            lines += screen.wrap("  waits    ", f"for {gate.get('waitsFor')}{until}; then {gate.get('then')}")
        screen.live(lines)

    def answers(self):
        counts = self.counters.get("counts", {})
        # The last second is still running.
        last = (self.counters.get("seconds") or [{}, {}])[-2:][0]
        versions = "  ".join(f"{name} {count}/s" for name, count in sorted(last.get("versions", {}).items()))
        return (f"{versions}   sent {thousands(counts.get('sent', 0))}, injected errors {counts.get('injected', 0)}, "
                f"failed {counts.get('failed', 0)}")

    def release(self, version, **environment):
        """Changes the pod template, as a deployment pipeline would."""
        changes = {"VERSION": version, **environment}
        container = self.look().spec["template"]["spec"]["containers"][0]
        patch = []
        for index, variable in enumerate(container["env"]):
            if variable["name"] in changes:
                path = f"/spec/template/spec/containers/0/env/{index}"
                # Somebody else's edit in between must not be overwritten at a place that has moved.
                patch.append({"op": "test", "path": f"{path}/name", "value": variable["name"]})
                patch.append({"op": "replace", "path": f"{path}/value", "value": changes[variable["name"]]})
        self.kube.patch("rollout.argoproj.io/shop", patch, what=f"releasing {version}")
        self.told.pop("step", None)  # the same step of another release is news


def good(stage):
    """Version 2 is as good as version 1, and is promoted."""
    stage.release("v2", ERROR_RATE="0")
    stage.until("version 2 to be promoted", PROMOTION, lambda view: _on_the_way(view, "v2") and view.promoted)


def bad(stage):
    """Version 3 answers 3 % of its requests with an error, and is taken back. Returns the seconds from the end of the
    first bad window to all traffic on stable."""
    before = stage.look().wanted_version
    stage.release("v3", ERROR_RATE="0.03")
    first_bad = []

    def taken_back(view):
        if view.wanted_version == "v3":
            first_bad.extend(one for _, one in view.measurements() if is_bad(one) and not first_bad)
        if view.seen and view.promoted and view.wanted_version == "v3":
            raise DemoFailed("version 3 was promoted although 3 % of its requests fail")
        return view.aborted and view.weights() == (100, 0)

    stage.until("version 3 to be aborted by its analysis and all traffic to be back on stable", ABORT, taken_back)
    back = time.time()
    if not first_bad:
        raise DemoFailed("version 3 was aborted, but no window of its AnalysisRun lies beyond the limit")
    stage.screen.tell("nobody touched it; `kubectl serin undo shop` makes the version before the wanted one again:", DIM)
    stage.quote(stage.serin("undo", "shop"))
    stage.until(f"the Rollout to be healthy on {before} again", BACK,
                lambda view: view.promoted and view.wanted_version == before)
    return back - window_end(first_bad[0])


def blind(stage):
    """Version 4 is good, but Prometheus stops in the middle: the rollout waits, and goes on when it is back."""
    stage.release("v4", ERROR_RATE="0")
    stage.until("version 4 to get its first traffic and evidence", 60,
                lambda view: view.wanted_version == "v4" and (view.weights() or (0, 0))[1] > 0 and view.measurements())
    stage.screen.tell("Prometheus is stopped", BOLD, RED)
    stage.place.stop_prometheus()
    stopped = time.monotonic()
    held_at, explained = [], []

    def watched_long_enough(view):
        if view.aborted or view.promoted or view.phase == "Degraded":
            raise DemoFailed(f"version 4 did not wait while Prometheus was stopped: {stage.state()}")
        # A step that was complete before the next measurement failed may still end.
        if time.monotonic() - stopped > 10:
            held_at.append((view.step, view.weights()))
            if not explained:
                explained.append(stage.serin("explain", "shop"))
                stage.screen.tell("`kubectl serin explain shop` says:", DIM)
                stage.quote(explained[0].partition("\nTraffic\n")[0])
        return time.monotonic() - stopped > HELD

    stage.until("the time without Prometheus to pass", HELD + 30, watched_long_enough)
    if len(set(held_at)) != 1:
        raise DemoFailed(f"version 4 went on while Prometheus was stopped: (step, weights) were {held_at}")
    held = time.monotonic() - stopped
    stage.place.start_prometheus()
    stage.screen.tell(f"Prometheus is back; version 4 was held for {held:.0f} s", BOLD, GREEN)
    stage.until("version 4 to go on and be promoted", PROMOTION, lambda view: _on_the_way(view, "v4") and view.promoted)
    return held


def settle(stage):
    """Old pods leave while the load goes on: a release is over when the last of them is gone."""
    stage.screen.say()
    stage.until("the pods of older versions to have left", SETTLED, lambda view: set(view.pod_hashes()) == {view.stable_hash})


def _on_the_way(view, version):
    if view.aborted:
        raise DemoFailed(f"version {version} was aborted: {json.dumps(view.status.get('message'))}")
    return view.wanted_version == version
