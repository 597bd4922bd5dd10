"""Tests of what the show reads and writes. The acts themselves are tested by playing them: demo/run."""

import io
import sys
import unittest

sys.dont_write_bytecode = True

from show import summary  # noqa: E402
from show.terminal import Screen, bar, cut  # noqa: E402
from show.view import View, describe, is_bad, said, window_end  # noqa: E402


def objects(**status):
    labels = {"rollouts-pod-template-hash": "aaa"}
    template = {"spec": {"containers": [{"env": [{"name": "VERSION", "value": "v1"}]}]}}
    return {"items": [
        {"kind": "Rollout", "metadata": {"generation": 3}, "status": {
            "observedGeneration": "3", "currentPodHash": "aaa", "stableRS": "aaa", "phase": "Healthy", **status},
         "spec": {"template": template, "strategy": {"canary": {
             "stableService": "s", "canaryService": "c", "steps": [{"setWeight": 10}, {"pause": {"duration": "15s"}}, {"pause": {}}]}}}},
        {"kind": "Pod", "metadata": {"labels": labels}},
        {"kind": "AnalysisRun", "metadata": {"labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"}, "status": {
            "metricResults": [{"name": "error-rate", "measurements": [{"startedAt": "2", "value": "b"}, {"startedAt": "1", "value": "a"}]}]}},
        {"kind": "HTTPRoute", "spec": {"rules": [{"backendRefs": [{"name": "s", "weight": 90}, {"name": "c", "weight": 10}]}]}},
    ]}


class Views(unittest.TestCase):
    def test_nothing_is_there_yet(self):
        view = View(None)
        self.assertFalse(view.promoted or view.aborted)
        self.assertIsNone(view.weights())
        self.assertEqual(view.measurements(), [])

    def test_what_is_there_is_read(self):
        view = View(objects())
        self.assertTrue(view.promoted)
        self.assertEqual(view.weights(), (90, 10))
        self.assertEqual(view.wanted_version, "v1")
        self.assertEqual(view.pod_hashes(), [view.stable_hash])
        self.assertEqual([one["value"] for _, one in view.measurements()], ["a", "b"])
        self.assertEqual([describe(step) for step in view.steps], ["set weight 10 %", "pause 15s", "pause until promoted"])

    def test_a_status_of_an_older_spec_is_not_believed(self):
        self.assertFalse(View(objects(observedGeneration="2")).promoted)

    def test_a_revision_that_is_not_stable_is_not_promoted(self):
        self.assertFalse(View(objects(currentPodHash="bbb")).promoted)

    def test_bad_windows_are_told_from_good_ones(self):
        self.assertTrue(is_bad({"message": "error-rate canary 3 % | window 1-2 breach 1/3 | …", "phase": "Running"}))
        self.assertFalse(is_bad({"message": "error-rate canary 0 % | window 1-2 breach 0/3 | …", "phase": "Failed"}))
        self.assertTrue(is_bad({"phase": "Failed"}))
        self.assertFalse(is_bad({"phase": "Error", "message": "connection refused"}))

    def test_a_window_ends_where_it_says_else_when_it_was_measured(self):
        at = "2026-01-01T00:00:07Z"
        self.assertEqual(window_end({"finishedAt": at}), 1767225607)
        self.assertEqual(window_end({"finishedAt": at, "metadata": {"window": '{"start":1767225600,"end":1767225605}'}}), 1767225605)

    def test_the_name_of_a_metric_is_said_once(self):
        self.assertEqual(said("error-rate", {"message": "error-rate canary 0 %"}), "error-rate canary 0 %")
        self.assertEqual(said("error-rate", {"value": "[1]"}), "error-rate: [1]")


class Terminals(unittest.TestCase):
    def test_any_share_shows_on_the_bar(self):
        self.assertEqual([bar(percent, 10).count("█") for percent in (0, 1, 50, 99, 100)], [0, 1, 5, 9, 10])

    def test_a_cut_line_fits_and_closes_its_colour(self):
        self.assertEqual(cut("short", 10), "short")
        self.assertEqual(cut("0123456789", 5), "0123…")
        self.assertEqual(cut("\x1b[1m0123456789\x1b[0m", 5), "\x1b[1m0123…\x1b[0m")

    def test_a_log_has_no_control_codes_and_keeps_long_lines(self):
        out = io.StringIO()
        screen = Screen(out)
        screen.live(["never seen"])
        screen.tell("word " * 50, "31")
        self.assertEqual(out.getvalue().count("\n"), 1)
        self.assertNotIn("\x1b", out.getvalue())
        self.assertNotIn("never", out.getvalue())

    def test_a_terminal_redraws_what_is_live(self):
        out = io.StringIO()
        screen = Screen(out, live=True)
        screen.live(["one", "two"])
        screen.live(["three"])
        self.assertIn("\x1b[2A\x1b[J", out.getvalue())


class Summaries(unittest.TestCase):
    def report(self, **counts):
        return {"counts": {"sent": 1000, "ok": 990, "injected": 10, "failed": 0, "unsent": 0, "versions": {"v1": 1000}, **counts},
                "elapsedSeconds": 5, "latencySeconds": {"p50": 0.005, "p95": 0.01, "p99": 0.05},
                "seconds": [{"ok": 200, "injected": 0, "failed": 0}] * 5,
                "firstFailures": [{"at": "2026-01-01T10:11:12.123456Z", "what": "502 Bad Gateway"}] if counts.get("failed") else []}

    def told(self, report):
        out = io.StringIO()
        return summary.tell(Screen(out), report, [("act 1: version 2 promoted", 50.2)], 12.34), out.getvalue()

    def test_a_kept_promise(self):
        code, text = self.told(self.report())
        self.assertEqual(code, 0)
        self.assertIn("12.3 s", text)

    def test_a_lost_request_is_a_failure_and_shown(self):
        code, text = self.told(self.report(failed=1))
        self.assertEqual(code, 1)
        self.assertIn("10:11:12.123  502 Bad Gateway", text)

    def test_a_request_that_could_not_be_sent_is_lost_too(self):
        self.assertEqual(self.told(self.report(unsent=3))[0], 1)


if __name__ == "__main__":
    unittest.main()
