"""What the demo ends with: figures, and whether the promise was kept."""

import statistics

from .terminal import BOLD, GREEN, RED, thousands


def tell(screen, report, acts, seconds_back):
    """Writes the summary and returns the exit code: 0, or 1 when a request failed that was not meant to.

    `acts`: (name, seconds) of each act played. `seconds_back`: from the first bad window to all traffic on stable, or
    None when that act was not played.
    """
    counts = report["counts"]
    screen.title("Summary")
    screen.say(f"  requests sent                       {thousands(counts['sent']):>9}"
               f"   ({report['elapsedSeconds']:.0f} s, {_rate(report):.0f}/s; {_shares(counts)})")
    screen.say(f"  answered with an injected error     {thousands(counts['injected']):>9}   (version 3's, as ordered)")
    lost = counts["failed"] + counts["unsent"]
    screen.say(f"  failed otherwise                    {thousands(counts['failed']):>9}"
               + (f"   and {counts['unsent']} could not be sent" if counts["unsent"] else ""),
               BOLD, RED if lost else GREEN)
    latency = report["latencySeconds"]
    screen.say("  slower than                         "
               + ", ".join(f"{1000 * latency[name]:g} ms: {share}" for name, share in
                           (("p50", "half"), ("p95", "1 in 20"), ("p99", "1 in 100"))))
    if seconds_back is not None:
        screen.say(f"  first bad window to 100 % stable    {seconds_back:>7.1f} s")
    for name, seconds in acts:
        screen.say(f"  {name:<36}{seconds:>7.0f} s")
    if lost:
        screen.say("\n  The first failures:", RED)
        for failure in report["firstFailures"]:
            screen.say(f"    {failure['at'][11:23]}  {failure['what']}")
        return 1
    return 0


def _rate(report):
    # Without the first and the last second, which are not whole.
    whole = [one["ok"] + one["injected"] + one["failed"] for one in report["seconds"][1:-1]]
    return statistics.median(whole) if whole else 0


def _shares(counts):
    return ", ".join(f"{name} {thousands(count)}" for name, count in sorted(counts["versions"].items()))
