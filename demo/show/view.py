"""Reads what the show tells out of the Rollout, its AnalysisRuns and the route: pure functions of their JSON."""

import json
import re
from datetime import datetime

HASH_LABEL = "rollouts-pod-template-hash"


class View:
    """One look at the demo's objects."""

    def __init__(self, objects):
        items = objects.get("items", []) if objects else []
        of = {}
        for item in items:
            of.setdefault(item["kind"], []).append(item)
        self.rollout = (of.get("Rollout") or [{}])[0]
        self.runs = of.get("AnalysisRun", [])
        self.pods = of.get("Pod", [])
        self.route = (of.get("HTTPRoute") or [{}])[0]
        self.spec = self.rollout.get("spec", {})
        self.status = self.rollout.get("status") or {}

    @property
    def phase(self):
        return self.status.get("phase", "")

    @property
    def message(self):
        return self.status.get("message", "")

    @property
    def aborted(self):
        return bool(self.status.get("abort"))

    @property
    def seen(self):
        """Whether the controller has looked at the spec as it is now."""
        return self.status.get("observedGeneration") == str(self.rollout.get("metadata", {}).get("generation"))

    @property
    def promoted(self):
        """The current template is stable, and nothing is on its way."""
        current = self.status.get("currentPodHash")
        return bool(self.seen and current and current == self.status.get("stableRS") and self.phase == "Healthy")

    @property
    def steps(self):
        return self.spec.get("strategy", {}).get("canary", {}).get("steps", [])

    @property
    def step(self):
        return self.status.get("currentStepIndex")

    @property
    def gates(self):
        return self.status.get("gates") or []

    def weights(self):
        """Weights in the route, as (stable, canary); None where the route has none."""
        canary = self.spec.get("strategy", {}).get("canary", {})
        by_service = {}
        for rule in self.route.get("spec", {}).get("rules", []):
            for backend in rule.get("backendRefs", []):
                by_service[backend["name"]] = backend.get("weight", 1)
        stable, new = by_service.get(canary.get("stableService")), by_service.get(canary.get("canaryService"))
        return None if stable is None or new is None else (stable, new)

    @property
    def stable_hash(self):
        return self.status.get("stableRS")

    def pod_hashes(self):
        """The revision of each pod that is still there, also of those that are ending."""
        return [pod["metadata"].get("labels", {}).get(HASH_LABEL) for pod in self.pods]

    @property
    def wanted_version(self):
        return version_in(self.spec.get("template", {}))

    def run(self):
        """The AnalysisRun of the revision that the spec asks for: the youngest, or None."""
        current = self.status.get("currentPodHash")
        own = [run for run in self.runs if run["metadata"].get("labels", {}).get(HASH_LABEL) == current]
        return max(own, key=lambda run: run["metadata"]["creationTimestamp"], default=None)

    def results(self):
        return ((self.run() or {}).get("status") or {}).get("metricResults") or []

    def measurements(self):
        """(metric, measurement), oldest first."""
        pairs = [(result["name"], one) for result in self.results() for one in result.get("measurements") or []]
        return sorted(pairs, key=lambda pair: pair[1].get("startedAt") or "")


def version_in(template):
    for container in template.get("spec", {}).get("containers", []):
        for variable in container.get("env", []):
            if variable["name"] == "VERSION":
                return variable.get("value")
    return None


def describe(step):
    """A step in a few words."""
    if "setWeight" in step:
        return f"set weight {step['setWeight']} %"
    if "pause" in step:
        duration = (step["pause"] or {}).get("duration")
        return f"pause {duration}" if duration else "pause until promoted"
    return " ".join(step)


def said(metric, measurement):
    """A measurement in one line: the reasons of a comparison begin with the name of the metric, other texts do not."""
    text = measurement.get("message") or measurement.get("value") or measurement.get("phase", "")
    return text if text.startswith(metric) else f"{metric}: {text}"


def is_bad(measurement):
    """Whether a window of the comparison lies beyond the limit. The reasons line says `breach N/M`."""
    breach = re.search(r"breach (\d+)/\d+", measurement.get("message", ""))
    return int(breach.group(1)) > 0 if breach else measurement.get("phase") == "Failed"


def window_end(measurement):
    """The end of the window of a comparison, in seconds since the epoch."""
    window = json.loads(measurement.get("metadata", {}).get("window", "{}"))
    return window.get("end") or datetime.fromisoformat(measurement["finishedAt"].replace("Z", "+00:00")).timestamp()
