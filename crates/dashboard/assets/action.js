// What people can do: each button says first what will happen, and nothing else can happen then.

import { put } from "./api.js";
import { h, show } from "./dom.js";

/** The buttons of a Rollout; none where nothing may be changed. */
export function actions(rollout) {
  const { offers, images } = rollout.serin;
  if (!offers && !images) return null;
  const shown = (offers ?? []).filter(({ path }) => !path.startsWith("undo/"));
  const kind = (offer, index) => (offer.title === "Abort" ? "danger" : index === 0 && !offer.grave ? "primary" : "");
  return h("div", { class: "actions" },
    shown.map((offer, index) => h("button", { class: kind(offer, index), onclick: () => act(rollout, offer) }, `${offer.title} …`)),
    images && h("button", { onclick: () => setImage(rollout) }, "Set image …"));
}

function path({ objectMeta }, rest) {
  return `rollouts/${encodeURIComponent(objectMeta.namespace)}/${encodeURIComponent(objectMeta.name)}/${rest}`;
}

/** Asks, then does it. */
export function act(rollout, offer) {
  const { name, namespace } = rollout.objectMeta;
  const button = offer.path.startsWith("undo/") ? "Go back" : offer.title;
  ask(`${offer.title}: ${name}?`, [
    h("p", {}, sentence(offer.effect)),
    h("p", { class: "quiet" }, `Rollout ${name} in namespace ${namespace}.`),
  ], button, offer.title === "Abort", () => put(path(rollout, offer.path), { ...offer.body, expects: offer.effect }));
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function setImage(rollout) {
  const all = rollout.containers ?? [];
  const container = h("select", { id: "container" }, all.map(({ name }) => h("option", { value: name }, name)));
  const image = h("input", { id: "image", required: true, spellcheck: "false", autocomplete: "off", value: all[0]?.image ?? "" });
  container.onchange = () => { image.value = all.find(({ name }) => name === container.value)?.image ?? ""; };
  ask(`Set image: ${rollout.objectMeta.name}`, [
    h("label", { for: "container" }, "Container"), container,
    h("label", { for: "image" }, "Image"), image,
    h("p", {}, "This begins a new revision, with all steps of the strategy."),
  ], "Set image", false, () => {
    const [name, tag] = split(image.value.trim());
    if (!tag) throw new Error("the image has no tag; write it as name:tag");
    const rest = [name.split("/").map(encodeURIComponent).join("/"), encodeURIComponent(tag)].join("/");
    return put(path(rollout, `set/${encodeURIComponent(container.value)}/${rest}`), {});
  });
}

/** Name and tag, or name and digest. */
function split(image) {
  if (image.includes("@")) return image.split("@");
  const colon = image.lastIndexOf(":");
  return colon > image.lastIndexOf("/") ? [image.slice(0, colon), image.slice(colon + 1)] : [image, ""];
}

function ask(title, content, button, danger, perform) {
  const error = h("p", { class: "error", role: "alert" });
  const submit = h("button", { class: danger ? "danger" : "primary" }, button);
  const dialog = h("dialog", { "aria-labelledby": "asks" }, h("form", { method: "dialog", onsubmit: async (event) => {
    event.preventDefault();
    submit.disabled = true;
    show(error);
    try {
      await perform();
      dialog.close();
      say(`${button}: asked. What happens is shown here as it happens.`);
    } catch (failure) {
      show(error, sentence(failure.message));
      submit.disabled = false;
    }
  } },
  h("h2", { id: "asks" }, title), content, error,
  h("div", { class: "buttons" }, h("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, "Cancel"), submit)));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

let silence = 0;

function say(text) {
  const said = document.getElementById("said");
  show(said, h("p", {}, text));
  clearTimeout(silence);
  silence = setTimeout(() => show(said), 6000);
}
