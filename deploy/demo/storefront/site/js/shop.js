// The shop window: products by category, a drawer to choose size and colour, and the basket.

import * as api from "./api.js";
import { openBasket } from "./basket-drawer.js";
import * as basket from "./basket.js";
import { config } from "./config.js";
import { $, el, show } from "./dom.js";
import { drawing, swatch } from "./drawings.js";
import { chooseCurrency, chosenCurrency, price } from "./money.js";
import { CLOSED, dress, trouble } from "./page.js";
import { openProduct } from "./product-drawer.js";

let catalogue = null;

function tools() {
  const count = el("span", { class: "count", "aria-hidden": "true" });
  const button = el("button", { type: "button", class: "basket", onclick: () => catalogue && openBasket(catalogue) }, "Basket", count);
  const recount = () => {
    const pieces = basket.pieces();
    count.textContent = pieces;
    button.setAttribute("aria-label", `Basket, ${pieces} ${pieces === 1 ? "piece" : "pieces"}`);
  };
  addEventListener("basket", recount);
  recount();
  const currency = el("select", { "aria-label": "Currency", onchange: () => { chooseCurrency(currency.value); open(); } },
    config.currencies.map((code) => el("option", { value: code, selected: code === chosenCurrency(config.currencies) }, code.toUpperCase())));
  $("#tools").replaceChildren(currency, button);
}

function card(product) {
  const colours = [...new Set(product.variants.map((variant) => variant.colour))];
  const left = product.variants.reduce((sum, variant) => sum + variant.available, 0);
  const from = Math.min(...product.variants.map((variant) => variant.unit_price_minor));
  const dots = colours.map((colour) => {
    const dot = el("span", { class: "dot" });
    dot.style.background = swatch(colour);
    return dot;
  });
  return el("li", { class: "card" },
    el("div", { class: "picture" }, drawing(product.id, colours[0])),
    el("h3", {}, el("button", { type: "button", class: "cover", "aria-haspopup": "dialog", onclick: () => openProduct(product, catalogue) }, product.name)),
    el("p", { class: "price" }, price(from, catalogue.currency), left === 0 && el("span", { class: "gone" }, "Sold out")),
    el("p", { class: "dots" }, el("span", { "aria-hidden": "true" }, dots), el("span", { class: "soft" }, colours.join(", "))));
}

function categories(names) {
  const slug = (name) => `in-${name.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  show($("#categories"), names.map((name) => el("a", { href: `#${slug(name)}` }, name)));
  show($("#products"), names.map((name) => el("section", { id: slug(name), class: "category", "aria-labelledby": `${slug(name)}-title` },
    el("h2", { id: `${slug(name)}-title` }, name),
    el("ul", { class: "cards", role: "list" }, catalogue.products.filter((product) => product.category === name).map(card)))));
}

async function open() {
  try {
    catalogue = await api.products(chosenCurrency(config.currencies));
    categories([...new Set(catalogue.products.map((product) => product.category))]);
    if (location.hash === "#basket") openBasket(catalogue);
  } catch {
    show($("#products"), trouble(CLOSED, open));
  }
}

// Back to the page as it was left: basket and stock may have changed meanwhile.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  dispatchEvent(new Event("basket"));
  open();
});
dress();
tools();
await open();
