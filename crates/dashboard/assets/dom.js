// Makes and updates elements: text is always text, and what is on the page stays where nothing has changed.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}

/** An HTML element; attributes that begin with `on` are handlers. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

const HANDLERS = ["onclick", "oninput", "onchange", "onsubmit"];

/** Makes `element` look like `wanted`, and keeps focus, selection and what people have opened. */
export function morph(element, wanted) {
  for (const { name } of [...element.attributes]) {
    if (!wanted.hasAttribute(name) && !kept(element, name)) element.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (element.getAttribute(name) !== value && !kept(element, name)) element.setAttribute(name, value);
  }
  for (const name of HANDLERS) element[name] = wanted[name];
  children(element, [...wanted.childNodes]);
}

// What belongs to the person who looks: which parts are open, and where a bar is, which its own code has set.
function kept(element, name) {
  return (name === "open" && element.tagName === "DETAILS") || name === "style";
}

function children(element, wanted) {
  const old = [...element.childNodes];
  wanted.forEach((child, index) => {
    const before = old[index];
    if (before === undefined) element.append(child);
    else if (before.nodeName !== child.nodeName || key(before) !== key(child)) before.replaceWith(child);
    else if (child.nodeType === Node.TEXT_NODE) {
      if (before.data !== child.data) before.data = child.data;
    } else morph(before, child);
  });
  old.slice(wanted.length).forEach((child) => child.remove());
}

function key(node) {
  return node.dataset?.key;
}

/** Replaces what is in an element. */
export function show(element, ...wanted) {
  children(element, wanted.flat(Infinity).filter(Boolean));
  measure(element);
}

// The policy of the page forbids styles in markup, so lengths that depend on data are set here.
function measure(element) {
  for (const bar of element.querySelectorAll("[data-part]")) bar.style.setProperty("--part", `${bar.dataset.part}%`);
}
