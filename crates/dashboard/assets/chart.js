// Draws what an analysis has measured: canary against stable, and evidence against what a decision needs.

import { h, s } from "./dom.js";
import { clock } from "./time.js";

const LEFT = 52;
const RIGHT = 12;

export function chart({ chart: data, name }) {
  const page = document.getElementById("main").clientWidth;
  const width = Math.max(280, page > 900 ? Math.min(820, page - 400) : page - 68);
  return data.kind === "comparison" ? comparison(data, name, width) : values(data, name, width);
}

function comparison({ title, unit, limit, windows }, name, width) {
  const canary = windows.map((window) => window.canary.value);
  const stable = windows.map((window) => window.stable.value);
  const allowed = windows.map((window) => window.allowed ?? null);
  const format = unit === "share" ? percent : (value) => amountOf(value, unit);
  const known = windows.filter(({ evidence }) => evidence);
  const last = windows.at(-1);
  const label = `${name}: in the last window canary ${format(canary.at(-1))}, stable ${format(stable.at(-1))}`;
  const plot = frame(width, 150, windows, top([...canary, ...stable, ...allowed]), format);
  const picture = svg(width, plot.height, label, plot.axes,
    plot.line(allowed, "allowed"), plot.line(stable, "stable"), plot.line(canary, "canary"),
    plot.dots(stable, windows, "stable"), plot.dots(canary, windows, "canary", (window) => window.phase === "Failed"));
  return h("figure", { class: "chart" },
    h("figcaption", {}, `${title}, by window`, legend([["canary", "canary"], ["stable", "stable"], ["allowed", limit]])),
    picture,
    known.length > 0 && evidence(windows, width),
    h("p", { class: "quiet" }, `last window: canary ${last.canary.text}, stable ${last.stable.text}`));
}

function amountOf(value, unit) {
  return value === null || value === undefined ? "no requests" : short(value) + unit;
}

/** Evidence grows by factors, so its logarithm is drawn: 0 is none, 1 is what is needed. */
function evidence(windows, width) {
  const ratios = windows.map(({ evidence: known }) => known && Math.max(-0.25, known.have / known.needed));
  const most = Math.max(1.15, Math.min(2, ...[Math.max(...ratios.map((ratio) => ratio ?? 0)) * 1.1]));
  const clamped = ratios.map((ratio) => ratio === null || ratio === undefined ? null : Math.max(0, Math.min(most, ratio)));
  const { have, needed } = windows.map(({ evidence: known }) => known).filter(Boolean).at(-1);
  const label = `evidence against the canary ${amount(have)} of ${amount(needed)} needed`;
  const ticks = [[0, "none"], [1, amount(needed)]];
  const plot = frame(width, 96, windows, most, null, ticks);
  const reached = clamped.map((ratio) => (ratio === null ? null : 1));
  return [
    h("figcaption", {}, label),
    svg(width, plot.height, label, plot.axes, plot.area(clamped), plot.line(reached.map(() => 1), "needed"), plot.line(clamped, "evidence"),
      plot.dots(clamped, windows, "evidence", (_, index) => (ratios[index] ?? 0) >= 1)),
  ];
}

function values({ points }, name, width) {
  const numbers = points.map(({ value }) => value);
  const low = Math.min(0, ...numbers);
  const high = top(numbers, 1);
  const plot = frame(width, 120, points, high, short, null, low);
  const label = `${name}: last value ${short(numbers.at(-1))}`;
  return h("figure", { class: "chart" },
    h("figcaption", {}, label),
    svg(width, plot.height, label, plot.axes, plot.line(numbers, "canary"), plot.dots(numbers, points, "canary", ({ phase }) => phase !== "Successful")));
}

function svg(width, height, label, ...content) {
  return s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, ...content);
}

function legend(entries) {
  return h("span", { class: "legend" }, entries.map(([kind, text]) => h("span", { class: kind }, text)));
}

/** Axes, and functions that draw into them. */
function frame(width, height, points, high, format, marks, low = 0) {
  const [above, below] = [8, 26];
  const inner = height - above - below;
  const x = (index) => (points.length === 1 ? (LEFT + width - RIGHT) / 2 : LEFT + (index / (points.length - 1)) * (width - LEFT - RIGHT));
  const y = (value) => above + inner * (1 - (value - low) / (high - low || 1));
  const ticks = marks ?? [0, 0.5, 1].map((part) => low + part * (high - low)).map((value) => [value, format(value)]);
  const axes = [
    ticks.map(([value, text]) => [
      s("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
      s("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, text),
    ]),
    ends(points).map(([index, anchor]) => s("text", { x: anchor === "start" ? LEFT : anchor === "end" ? width - RIGHT : x(index), y: height - 5, "text-anchor": anchor }, clock(Date.parse(points[index].at)))),
  ];
  const path = (numbers) => runsOf(numbers).map((part) => `M${part.map(([index, value]) => `${x(index)},${y(value)}`).join("L")}`).join("");
  return {
    height,
    axes,
    line: (numbers, kind) => s("path", { class: `line ${kind}`, d: path(numbers) }),
    area: (numbers) => s("path", { class: "area", d: runsOf(numbers).map((part) => `M${x(part[0][0])},${y(low)}${part.map(([index, value]) => `L${x(index)},${y(value)}`).join("")}L${x(part.at(-1)[0])},${y(low)}Z`).join("") }),
    dots: (numbers, all, kind, bad = () => false) => numbers.map((value, index) => value !== null && value !== undefined &&
      s("circle", { class: `dot ${kind}${bad(all[index], index) ? " bad" : ""}`, cx: x(index), cy: y(value), r: 4 },
        s("title", {}, `${clock(Date.parse(all[index].at))}: ${format ? format(value) : ""}`))),
  };
}

/** The labels below: the first and the last moment. */
function ends(points) {
  const told = points.map(({ at }, index) => [index, at]).filter(([, at]) => at);
  if (told.length === 0) return [];
  if (told.length === 1) return [[told[0][0], "middle"]];
  return [[told[0][0], "start"], [told.at(-1)[0], "end"]];
}

/** Stretches without gaps: what was not measured is not drawn as if it were. */
function runsOf(numbers) {
  const parts = [[]];
  numbers.forEach((value, index) => {
    if (value === null || value === undefined) parts.push([]);
    else parts.at(-1).push([index, value]);
  });
  return parts.filter((part) => part.length > 0);
}

/** A round number above all others; `usual` when all are 0. */
function top(numbers, usual = 1e-3) {
  const most = Math.max(...numbers.filter((number) => number !== null), 0);
  if (most === 0) return usual;
  const size = 10 ** Math.floor(Math.log10(most * 1.05));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * size).find((round) => round >= most * 1.05) ?? most * 1.2;
}

function percent(rate) {
  if (rate === null || rate === undefined) return "no requests";
  const value = rate * 100;
  return `${value === 0 ? 0 : value < 0.095 ? value.toPrecision(1) : value < 9.95 ? value.toFixed(2).replace(/\.?0+$/, "") : value.toFixed(0)} %`;
}

function short(value) {
  return String(Number(value.toPrecision(3)));
}

/** An amount from its decimal logarithm. */
function amount(logarithm) {
  if (logarithm >= 5) return `10^${Math.floor(logarithm)}`;
  const value = 10 ** logarithm;
  return value < 0.005 ? "0" : value < 9.95 ? String(Number(value.toFixed(2))) : value.toFixed(0);
}
