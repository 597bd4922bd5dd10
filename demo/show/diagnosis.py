"""What is worth reading when the demo has failed."""

import json


def tell(screen, kube, place, programs):
    """Writes the state of the release, the last events and the ends of the logs. Never raises: it runs after a failure."""
    for title, produce in _parts(kube, place, programs):
        try:
            text = produce()
        except Exception as error:  # noqa: BLE001: half a diagnosis is better than none, whatever the other half met
            text = f"(cannot tell: {error})"
        if text:
            screen.say(f"\n--- {title}")
            screen.say(text)


def _parts(kube, place, programs):
    if kube is not None:
        yield "status of the Rollout", lambda: _status(kube, "rollout.argoproj.io/shop")
        yield "AnalysisRuns", lambda: _runs(kube)
        yield "weights of the route", lambda: json.dumps(kube.try_json("get", "httproute/shop")["spec"]["rules"])
        yield "pods and ReplicaSets", lambda: kube.run("get", "replicasets,pods", "-o", "wide", seconds=15)
        yield "last events", lambda: "\n".join(
            kube.run("get", "events", "--sort-by=.lastTimestamp", seconds=15).splitlines()[-25:])
    for program in programs:
        yield f"end of the log of {program.name} ({program.log})", lambda program=program: program.tail(25)
    if place is not None:
        for name in ("traefik", "prometheus"):
            yield f"end of the log of {name}", lambda name=name: place.logs(name, 8)


def _status(kube, target):
    found = kube.try_json("get", target)
    return json.dumps(found.get("status"), indent=1) if found else "(absent)"


def _runs(kube):
    lines = []
    for run in (kube.try_json("get", "analysisruns.argoproj.io") or {}).get("items", []):
        status = run.get("status") or {}
        lines.append(f"{run['metadata']['name']}: {status.get('phase')} {status.get('message', '')}")
        for result in status.get("metricResults") or []:
            lines.extend(f"  {result['name']} {one.get('finishedAt', '')} {one.get('phase')} {one.get('message', '')}"
                         for one in (result.get("measurements") or [])[-4:])
    return "\n".join(lines)
