// The revisions: their ReplicaSets and pods. Those without pods are folded away.

import { act } from "./action.js";
import { h } from "./dom.js";
import { icon, phaseClass } from "./part.js";

// Pods in trouble first.
const ORDER = ["bad", "moving", "good"];
import { away } from "./time.js";

export function revisions(rollout) {
  const sets = rollout.replicaSets ?? [];
  if (sets.length === 0) return null;
  const serves = (set) => set.replicas > 0 || set.pods?.length > 0 || set.stable || set.canary || set.active || set.preview;
  const shown = sets.filter(serves);
  const older = sets.filter((set) => !serves(set));
  return h("section", { class: "card", "aria-labelledby": "revisions" }, h("h2", { id: "revisions" }, "Revisions"),
    shown.map((set) => one(set, rollout)),
    older.length > 0 && h("details", { class: "older", "data-key": "older" },
      h("summary", {}, `${older.length} older without pods`), older.map((set) => one(set, rollout))));
}

const ROLES = ["stable", "canary", "active", "preview"];

function one(set, rollout) {
  const undo = rollout.serin.offers?.find(({ path }) => path === `undo/${set.revision}`);
  return h("div", { class: "revision", "data-key": set.objectMeta.uid },
    h("div", { class: "bar" },
      h("h3", {}, `Revision ${set.revision || "?"}`, ROLES.filter((role) => set[role]).map((role) => [" ", h("span", { class: `role ${role}` }, role)])),
      undo && h("button", { class: "small", onclick: () => act(rollout, undo) }, "Go back to it …")),
    h("p", { class: "images" }, set.images.join(", ")),
    h("p", { class: "set" },
      h("span", { class: `phase ${phaseClass(set.status)}` }, icon(set.icon === "◌" ? "↻" : set.icon), set.status), " ",
      h("span", { class: "quiet" }, `${set.objectMeta.name}: ${set.available} of ${set.replicas} pods available`,
        set.scaleDownDeadline && [", scaled down ", away(set.scaleDownDeadline, "left")])),
    set.pods?.length > 0 && h("ul", { class: "pods" }, sorted(set.pods).map((pod) => podLine(pod, set))));
}

function tone({ icon: sign }) {
  return { "✔": "good", "✖": "bad" }[sign] ?? "moving";
}

function sorted(pods) {
  return [...pods].sort((a, b) => ORDER.indexOf(tone(a)) - ORDER.indexOf(tone(b)));
}

const SIGNS = { good: "✔", bad: "✖", moving: "↻" };

function podLine(pod, set) {
  const { name, creationTimestamp } = pod.objectMeta;
  const prefix = `${set.objectMeta.name}-`;
  return h("li", { class: tone(pod), "data-key": pod.objectMeta.uid },
    h("span", { class: "pod", title: name }, icon(SIGNS[tone(pod)]), name.startsWith(prefix) ? `…${name.slice(prefix.length)}` : name),
    h("span", {}, pod.status),
    h("span", { class: "quiet" }, `ready ${pod.ready}`, pod.restarts > 0 && `, restarts ${pod.restarts}`, creationTimestamp && [", ", away(creationTimestamp, "age")]),
    pod.trouble && h("span", { class: "trouble" }, pod.trouble));
}
