// The list of Rollouts: those that need somebody come first.

import { get, watch } from "./api.js";
import { h, show } from "./dom.js";
import { away } from "./time.js";
import { icon, phaseClass, share, sign, weightBar } from "./part.js";

const PHASES = ["Degraded", "Paused", "Progressing", "Healthy", "Unknown"];
const ALL = "*";

/** Shows the list; the answer ends it. */
export function list(main, frame) {
  const wanted = new URLSearchParams(location.search);
  const view = {
    namespace: wanted.get("namespace") ?? ALL,
    text: wanted.get("q") ?? "",
    phase: wanted.get("phase") ?? "",
    namespaces: [],
    rollouts: new Map(),
    ready: false,
  };
  let stop = () => {};
  let planned = 0;
  const draw = () => {
    planned = 0;
    show(main, page(view, change));
  };
  // Many Rollouts come at once; they are drawn together.
  const soon = () => { planned ||= setTimeout(draw, 100); };
  const change = (field, value) => {
    view[field] = value;
    remember(view);
    if (field === "namespace") follow();
    draw();
  };
  const follow = () => {
    stop();
    view.rollouts.clear();
    view.ready = false;
    stop = watch(`rollouts/${encodeURIComponent(view.namespace)}/info/watch`, {
      ...frame,
      result: ({ type, rolloutInfo }) => {
        const key = place(rolloutInfo);
        if (type === "Deleted") view.rollouts.delete(key);
        else view.rollouts.set(key, rolloutInfo);
        view.seen?.add(key);
        soon();
      },
      live: () => {
        view.seen = new Set();
        frame.live();
      },
      named: (name, state) => {
        if (name !== "state") return;
        // The first list after a connection is complete: what is not in it is gone.
        if (view.seen) [...view.rollouts.keys()].filter((key) => !view.seen.has(key)).forEach((key) => view.rollouts.delete(key));
        view.seen = null;
        view.ready = state.ready;
        frame.notes(state.notes);
        soon();
      },
    });
  };
  const slash = (event) => {
    if (event.key !== "/" || document.activeElement.matches("input, select, textarea")) return;
    event.preventDefault();
    document.getElementById("search")?.focus();
  };
  document.addEventListener("keydown", slash);
  get("namespace").then(({ availableNamespaces }) => {
    view.namespaces = availableNamespaces;
    soon();
  }).catch(() => {});
  draw();
  follow();
  return () => {
    stop();
    clearTimeout(planned);
    document.removeEventListener("keydown", slash);
  };
}

function place({ objectMeta }) {
  return `${objectMeta.namespace}/${objectMeta.name}`;
}

/** Keeps the filter in the address, so that it can be shared. */
function remember({ namespace, text, phase }) {
  const query = new URLSearchParams();
  if (namespace !== ALL) query.set("namespace", namespace);
  if (text) query.set("q", text);
  if (phase) query.set("phase", phase);
  history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
}

function page(view, change) {
  const all = [...view.rollouts.values()].filter((rollout) => place(rollout).includes(view.text.trim().toLowerCase()) ||
    images(rollout).some((image) => image.includes(view.text.trim())));
  const shown = all.filter((rollout) => !view.phase || rollout.status === view.phase).sort(order);
  return [
    h("div", { class: "bar" }, h("h1", {}, "Rollouts"), filters(view, change)),
    chips(view, all, change),
    shown.length > 0 ? table(shown, view.namespace === ALL) : empty(view),
  ];
}

function images({ containers = [] }) {
  return containers.map(({ image }) => image);
}

function order(a, b) {
  const [one, two] = [a.objectMeta, b.objectMeta];
  return PHASES.indexOf(a.status) - PHASES.indexOf(b.status) ||
    one.namespace.localeCompare(two.namespace) || one.name.localeCompare(two.name);
}

function filters(view, change) {
  const known = [...new Set([...view.namespaces, ...(view.namespace === ALL ? [] : [view.namespace])])].sort();
  const option = (value, text) => h("option", { value, selected: value === view.namespace }, text);
  return h("div", { class: "filters" },
    h("label", {}, h("span", { class: "hidden" }, "Namespace"),
      h("select", { id: "namespace", onchange: (event) => change("namespace", event.target.value) },
        option(ALL, "All namespaces"), known.map((name) => option(name, name)))),
    h("label", {}, h("span", { class: "hidden" }, "Search by name or image"),
      h("input", { id: "search", type: "search", placeholder: "Search name or image", value: view.text, autocomplete: "off",
        oninput: (event) => change("text", event.target.value) })));
}

function chips(view, all, change) {
  const count = (phase) => all.filter((rollout) => rollout.status === phase).length;
  const chip = (phase, text, number) => h("button", { class: `chip ${phaseClass(phase)}`, "aria-pressed": String(view.phase === phase),
    onclick: () => change("phase", view.phase === phase ? "" : phase) }, text, " ", h("b", {}, String(number)));
  const present = PHASES.filter((phase) => count(phase) > 0 || view.phase === phase);
  return h("div", { class: "chips", role: "group", "aria-label": "Phase" }, chip("", "All", all.length), present.map((phase) => chip(phase, phase, count(phase))));
}

function empty(view) {
  if (!view.ready) return h("p", { class: "quiet" }, "Looking …");
  if (view.rollouts.size > 0) return h("p", { class: "quiet" }, "No rollout matches the filter.");
  const where = view.namespace === ALL ? "in any namespace that you may see" : `in namespace ${view.namespace}`;
  return h("p", { class: "quiet" }, `There is no rollout ${where}.`);
}

function table(rollouts, everywhere) {
  const head = ["Name", "Phase", "Waits for", "Step", "Weight", "Pods"];
  return h("table", { class: "list" },
    h("thead", {}, h("tr", {}, head.map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, rollouts.map((rollout) => row(rollout, everywhere))));
}

function row(rollout, everywhere) {
  const { objectMeta, status, serin } = rollout;
  const href = `rollout/${encodeURIComponent(objectMeta.namespace)}/${encodeURIComponent(objectMeta.name)}`;
  const cell = (label, ...content) => h("td", { "data-label": label, class: content[0] ? null : "none" }, ...(content[0] ? content : ["–"]));
  return h("tr", { "data-key": place(rollout), class: phaseClass(status) },
    h("th", { scope: "row" }, h("a", { href }, objectMeta.name), everywhere && h("span", { class: "quiet" }, objectMeta.namespace)),
    cell("Phase", h("span", { class: "phase" }, icon(sign(status)), status)),
    cell("Waits for", waits(rollout)),
    cell("Step", rollout.step),
    cell("Weight", serin.weight && h("span", { class: "share" }, weightBar(serin.weight), share(serin.weight))),
    cell("Pods", h("span", { class: rollout.ready < rollout.desired ? "number short" : "number" }, `${rollout.ready}/${rollout.desired} ready`)));
}

function waits({ serin, message, status }) {
  const gate = serin.gates?.[0];
  if (status !== "Degraded" && gate) return h("span", { class: "waits" }, gate.waitsFor, gate.until && h("span", { class: "quiet" }, ", ", away(gate.until, "left")));
  return message && h("span", { class: "waits", title: message }, message);
}
