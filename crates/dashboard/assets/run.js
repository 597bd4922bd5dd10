// The analyses: what they have found, every look with its reasons. Those that matter now are open.

import { chart } from "./chart.js";
import { h } from "./dom.js";
import { phase, phaseClass } from "./part.js";
import { away, clock } from "./time.js";

// Older runs and looks are folded away.
const RECENT = 3;
const LOOKS = 3;

export function runs(all) {
  if (all.length === 0) return null;
  const now = all.filter(({ current }) => current);
  const rest = all.filter(({ current }) => !current);
  const shown = [...now, ...rest.slice(0, RECENT)];
  const older = rest.slice(RECENT);
  return h("section", { class: "card", "aria-labelledby": "runs" }, h("h2", { id: "runs" }, "Analyses"),
    shown.map((run, index) => one(run, run.current || (now.length === 0 && index === 0))),
    older.length > 0 && h("details", { class: "older", "data-key": "older" }, h("summary", {}, `${older.length} older`), older.map((run) => one(run, false))));
}

function one(run, open) {
  const when = run.completedAt ? ["ended ", away(run.completedAt, "ago")] : run.startedAt && ["started ", away(run.startedAt, "ago")];
  return h("details", { class: `run ${phaseClass(run.phase)}`, open, "data-key": run.name },
    h("summary", {}, phase(run.phase), h("span", { class: "name" }, run.name), h("span", { class: "quiet" }, run.role, when && [", ", when])),
    run.message && h("p", { class: "message" }, run.message),
    run.metrics.length === 0 && h("p", { class: "quiet" }, "Nothing measured yet."),
    run.metrics.map(metric));
}

function metric(result) {
  return h("div", { class: "metric", "data-key": result.name },
    h("h3", {}, h("span", {}, result.name), phase(result.phase), h("small", {}, result.counts, result.dryRun && ", dry run: does not decide")),
    result.bar && h("p", { class: "quiet" }, result.bar),
    result.message && h("p", { class: "message" }, result.message),
    result.chart && chart(result),
    result.looks.length > 0 && h("ol", { class: "looks" }, result.looks.slice(0, LOOKS).map(look)),
    result.looks.length > LOOKS && h("details", { class: "earlier", "data-key": `${result.name}-earlier` },
      h("summary", {}, `${result.looks.length - LOOKS} earlier`), h("ol", { class: "looks" }, result.looks.slice(LOOKS).map(look))));
}

function look({ at, phase: word, text }) {
  const parts = text.split(" | ");
  return h("li", { class: phaseClass(word) },
    h("div", { class: "look" }, phase(word), at && h("time", { datetime: at, title: at }, clock(Date.parse(at)))),
    h("div", { class: "reasons" }, parts.map((part) => h("span", {}, part))));
}
