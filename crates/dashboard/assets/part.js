// Small parts that several pages show.

import { h } from "./dom.js";

// Common signs only: those of the CLI are missing in many fonts of browsers.
const SIGNS = { Healthy: "✔", Degraded: "✖", Progressing: "↻", Paused: "‖" };

/** The sign of a phase of a Rollout. */
export function sign(phase) {
  return SIGNS[phase] ?? "?";
}

/** An icon; the word beside it says the same. */
export function icon(text) {
  return h("span", { class: "icon", "aria-hidden": "true" }, text);
}

const CLASSES = {
  Healthy: "good", Successful: "good", Running: "moving", Completed: "good",
  Degraded: "bad", Failed: "bad", Error: "bad", ReplicaFailure: "bad",
  Paused: "waiting", Inconclusive: "waiting",
  Progressing: "moving", Pending: "moving", ScaledDown: "idle", Unknown: "waiting",
};

/** The class of a phase, of a Rollout or of an analysis. */
export function phaseClass(phase) {
  return CLASSES[phase] ?? "";
}

const ICONS = { Successful: "✔", Failed: "✖", Error: "⚠", Inconclusive: "?" };

/** An analysis phase in icon and word. */
export function phase(word) {
  return h("span", { class: `phase ${phaseClass(word)}` }, icon(ICONS[word] ?? "↻"), word);
}

/** The weight in words: `20 %`, `20 % → 40 %` while it moves, `? → 40 %` while nobody has reported it. */
export function share({ asked, observed, of }) {
  const text = (weight) => (of === 100 ? `${weight} %` : `${weight}/${of}`);
  if (observed === asked) return text(asked);
  return `${observed === undefined ? "?" : text(observed)} → ${text(asked)}`;
}

/** How much goes to the new revision, with a mark at what is asked for. */
export function weightBar({ asked, observed, of, source }) {
  // One revision has everything: there is nothing to weigh.
  if (!source) return h("span", { class: "weight", "aria-hidden": "true" });
  const part = (weight) => String((Math.min(weight, of) / of) * 100);
  const label = observed === undefined ? `asked ${asked} of ${of}, not reported` : `asked ${asked} of ${of}, observed ${observed}`;
  return h("span", { class: "weight", role: "img", "aria-label": label },
    h("span", { class: "fill", "data-part": part(observed ?? 0) }),
    observed !== asked && h("span", { class: "mark", "data-part": part(asked) }));
}
