// One product: choose a colour and a size, see what is left, put it into the basket.

import * as basket from "./basket.js";
import { $, el, say } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { drawing } from "./drawings.js";
import { price } from "./money.js";

const FEW = 5;

function choice(name, label, options, chosen) {
  return el("fieldset", { class: "choice" },
    el("legend", {}, label),
    el("div", { class: "options" }, options.map(({ value, isGone }) => el("label", { class: isGone ? "option gone" : "option" },
      el("input", { type: "radio", name, value, checked: value === chosen, required: true }),
      el("span", {}, value, isGone && el("span", { class: "unseen" }, " (sold out)"))))));
}

export function openProduct(product, catalogue) {
  const colours = [...new Set(product.variants.map((variant) => variant.colour))];
  const sizes = [...new Set(product.variants.map((variant) => variant.size))];
  const left = (colour, size) => product.variants.find((each) => each.colour === colour && each.size === size)?.available ?? 0;
  const firstColour = colours.find((colour) => sizes.some((size) => left(colour, size) > 0)) ?? colours[0];
  const picture = el("div", { class: "picture large" });
  const stock = el("p", { class: "stock", role: "status" });
  const sizeField = el("div");
  const button = el("button", { type: "submit", class: "main" }, "Add to basket");

  const colourField = choice("colour", "Colour", colours.map((value) => ({ value, isGone: sizes.every((size) => !left(value, size)) })), firstColour);
  const form = el("form", { class: "choose", novalidate: true }, colourField, sizeField, stock, button);
  const chosen = () => {
    const given = new FormData(form);
    return product.variants.find((each) => each.colour === given.get("colour") && each.size === given.get("size"));
  };

  function sizesOf(colour) {
    const before = new FormData(form).get("size");
    const free = sizes.filter((size) => left(colour, size) > 0);
    const wanted = free.includes(before) ? before : free.length === 1 ? free[0] : null;
    sizeField.replaceChildren(choice("size", "Size", sizes.map((value) => ({ value, isGone: !left(colour, value) })), wanted));
    picture.replaceChildren(drawing(product.id, colour));
    tell();
  }

  function tell() {
    const variant = chosen();
    const available = variant?.available ?? null;
    button.disabled = available === 0;
    stock.className = available !== null && available <= FEW ? "stock few" : "stock";
    if (available === null) stock.textContent = "Choose your size.";
    else if (available === 0) stock.textContent = "Sold out in this size and colour.";
    else stock.textContent = available <= FEW ? `Only ${available} left.` : "In stock.";
  }

  form.addEventListener("change", (event) => (event.target.name === "colour" ? sizesOf(event.target.value) : tell()));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const variant = chosen();
    if (!variant) {
      stock.textContent = "Please choose a size first.";
      $("input[name=size]", form).focus();
      return;
    }
    basket.add(variant.sku);
    dialog.close();
    say(`${product.name}, ${variant.colour}, ${variant.size}, is in your basket.`);
  });

  sizesOf(firstColour);
  const dialog = openDrawer(product.name,
    picture,
    el("p", { class: "price" }, price(product.variants[0].unit_price_minor, catalogue.currency)),
    el("p", { class: "soft" }, product.description),
    form);
}
