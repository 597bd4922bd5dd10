// One Rollout: what it waits for first, because that is what somebody on call needs to know.

import { actions } from "./action.js";
import { watch } from "./api.js";
import { h, show } from "./dom.js";
import { icon, phaseClass, share, sign, weightBar } from "./part.js";
import { revisions } from "./revision.js";
import { runs } from "./run.js";
import { away, moment } from "./time.js";

/** Shows a Rollout; the answer ends it. */
export function detail(main, namespace, name, frame) {
  document.title = `${name} · Rollouts`;
  let rollout = null;
  const draw = () => rollout && show(main, page(rollout));
  show(main, back(), h("h1", {}, name), h("p", { class: "quiet" }, "Looking …"));
  const stop = watch(`rollouts/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/info/watch`, {
    ...frame,
    result: (value) => {
      rollout = value;
      document.title = `${sign(value.status)} ${name} · Rollouts`;
      draw();
    },
    named: (event, value) => {
      if (event === "state") frame.notes(value.notes);
      if (event === "gone") {
        stop();
        show(main, back(), h("h1", {}, name), h("p", {}, "It was deleted while you were looking."));
      }
      if (event === "failed") frame.lost(value);
    },
  });
  addEventListener("resize", draw);
  return () => {
    stop();
    removeEventListener("resize", draw);
  };
}

function back() {
  return h("p", { class: "back" }, h("a", { href: "./" }, "← All rollouts"));
}

function page(rollout) {
  const { serin } = rollout;
  return [
    back(),
    header(rollout),
    serin.notes?.map((note) => h("p", { class: "banner" }, note)),
    h("div", { class: "columns" },
      h("div", { class: "first" }, gates(rollout), runs(serin.runs ?? []), revisions(rollout)),
      h("div", { class: "second" }, traffic(rollout), steps(serin), facts(rollout))),
  ];
}

function header(rollout) {
  const { objectMeta, status, message, serin } = rollout;
  return h("header", { class: `head ${phaseClass(status)}` },
    h("div", { class: "bar" },
      h("h1", {}, objectMeta.name, " ", h("small", {}, `in ${objectMeta.namespace}`)),
      h("p", { class: "badge" }, icon(sign(status)), status)),
    (message || serin.abortedAt) && h("p", { class: "message" }, message, serin.abortedAt && [" (aborted ", away(serin.abortedAt, "ago"), ")"]),
    actions(rollout));
}

function gates({ serin, status }) {
  if (!serin.gates?.length) return null;
  return h("section", { class: `card gates ${phaseClass(status)}`, "aria-labelledby": "waits" }, h("h2", { id: "waits" }, "Waits for"), serin.gates.map(gate));
}

function gate({ waitsFor, since, until, then }) {
  const timed = since && until;
  return h("div", { class: "gate" },
    h("p", { class: "what" }, commands(waitsFor)),
    (since || until) && h("p", { class: "when" },
      since && ["since ", moment(since, "ago")], since && until && h("br", {}), until && ["until ", moment(until, "left")]),
    timed && h("span", { class: "progress", "data-from": since, "data-to": until }),
    then && h("p", { class: "then" }, "then ", commands(then)));
}

/** Text in which commands stand between backticks. */
function commands(text) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? h("code", {}, part) : part));
}

function traffic({ serin }) {
  const { weight, revision } = serin;
  if (!weight) return null;
  return h("section", { class: "card", "aria-labelledby": "traffic" }, h("h2", { id: "traffic" }, "Traffic"),
    h("p", { class: "big" }, share(weight), h("small", {}, revision ? ` to revision ${revision}` : " to the new revision")),
    weightBar(weight),
    h("dl", { class: "pairs" },
      pair("Asked", `${weight.asked} of ${weight.of}`),
      pair("Observed", weight.observed === undefined ? "not known" : `${weight.observed} of ${weight.of}`),
      weight.source && pair("", h("span", { class: "quiet" }, weight.source))));
}

function pair(term, ...value) {
  return h("div", {}, h("dt", {}, term), h("dd", {}, ...value));
}

const MARKS = { done: "✔", current: "▶", pending: "○" };
const STATES = { done: "done", current: "now", pending: "to come" };

function steps({ steps: all = [], abortedAt }) {
  if (all.length === 0) return null;
  const line = ({ text, state }) => h("li", { class: state, "aria-current": state === "current" ? "step" : null },
    h("span", { class: "icon", "aria-hidden": "true" }, MARKS[state]), h("span", {}, text), h("span", { class: "hidden" }, ` (${STATES[state]})`));
  const done = all.filter(({ state }) => state === "done").length;
  return h("section", { class: "card", "aria-labelledby": "steps" }, h("h2", { id: "steps" }, "Steps ", h("small", {}, `${done} of ${all.length} done`)),
    abortedAt && h("p", { class: "quiet" }, "The update was taken back; a retry begins at step 1."),
    h("ol", { class: "steps" }, all.map(line)));
}

function facts(rollout) {
  const { objectMeta, strategy, restartedAt } = rollout;
  return h("section", { class: "card", "aria-labelledby": "pods" }, h("h2", { id: "pods" }, "Pods"),
    h("dl", { class: "pairs" },
      pair("Desired", String(rollout.desired)), pair("Current", String(rollout.current)), pair("Updated", String(rollout.updated)),
      pair("Ready", String(rollout.ready)), pair("Available", String(rollout.available)),
      strategy && pair("Strategy", strategy),
      restartedAt && pair("Restarted", away(restartedAt, "ago")),
      objectMeta.creationTimestamp && pair("Age", away(objectMeta.creationTimestamp, "age"))));
}
