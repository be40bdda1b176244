// A dialog that comes in from the side; the browser keeps the focus in it and gives it back afterwards.

import { el } from "./dom.js";

let numbered = 0;

export function openDrawer(title, ...children) {
  const id = `drawer-${(numbered += 1)}`;
  const heading = el("h2", { id, tabindex: "-1", autofocus: true }, title);
  const dialog = el("dialog", { class: "drawer", "aria-labelledby": id },
    el("div", { class: "drawer-top" }, heading, el("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "×")),
    el("div", { class: "drawer-body" }, children));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
