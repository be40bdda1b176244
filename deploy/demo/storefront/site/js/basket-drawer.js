// The basket: quantities can be changed; from here it goes to the till.

import * as basket from "./basket.js";
import { el, focus, say, show } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { drawing } from "./drawings.js";
import { price } from "./money.js";

function quantity(line) {
  const most = Math.max(line.quantity, Math.min(9, line.variant.available));
  const select = el("select", { "aria-label": `Pieces of ${line.product.name}, ${line.variant.colour}, ${line.variant.size}` },
    Array.from({ length: most }, (_, place) => el("option", { value: place + 1, selected: place + 1 === line.quantity }, String(place + 1))));
  select.addEventListener("change", () => basket.change(line.sku, Number(select.value)));
  return select;
}

export function row(line, currency, tools = null) {
  return el("li", { class: "row" },
    el("div", { class: "picture small" }, drawing(line.product.id, line.variant.colour)),
    el("div", { class: "what" },
      el("strong", {}, line.product.name),
      el("span", { class: "soft" }, !tools && `${line.quantity} × `, `${line.variant.colour} · ${line.variant.size}`),
      line.quantity > line.variant.available && el("span", { class: "few" }, line.variant.available ? `Only ${line.variant.available} left` : "Sold out"),
      tools),
    el("span", { class: "sum" }, price(line.variant.unit_price_minor * line.quantity, currency)));
}

export function total(lines) {
  return lines.reduce((sum, line) => sum + line.variant.unit_price_minor * line.quantity, 0);
}

export function openBasket(catalogue) {
  const place = el("div");
  const dialog = openDrawer("Your basket", place);

  function draw() {
    const lines = basket.filled(catalogue);
    if (!lines.length) {
      show(place, el("p", { class: "soft empty" }, "There is nothing in it yet."), el("button", { type: "button", class: "main", onclick: () => dialog.close() }, "Look around"));
      return;
    }
    const remove = (line) => {
      basket.change(line.sku, 0);
      say(`${line.product.name} is out of your basket.`);
      focus(dialog.querySelector("h2"));
    };
    show(place,
      el("ul", { class: "rows", role: "list" }, lines.map((line) => row(line, catalogue.currency, el("span", { class: "tools" }, quantity(line),
        el("button", { type: "button", class: "link", "aria-label": `Remove ${line.product.name}, ${line.variant.colour}, ${line.variant.size}`, onclick: () => remove(line) }, "Remove"))))),
      el("p", { class: "total" }, el("span", {}, "Total"), el("strong", {}, price(total(lines), catalogue.currency))),
      el("p", { class: "soft" }, "Delivery is free."),
      el("a", { class: "main", href: "/checkout" }, "Check out"));
  }

  addEventListener("basket", draw);
  dialog.addEventListener("close", () => removeEventListener("basket", draw));
  draw();
}
