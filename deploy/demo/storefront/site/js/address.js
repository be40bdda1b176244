// The address form. What is wrong is decided by checkout and shown at its field, in our words.

import { $, el, focus } from "./dom.js";

const KEPT = "kct.address"; // for this tab only, so that a reload costs nobody their typing

// name in checkout's body, label, attributes, what to say when checkout refuses it
const FIELDS = [
  ["email", "Email", { type: "email", autocomplete: "email", inputmode: "email" }, "Enter an email address, like ada@example.com."],
  ["shipping_address.name", "Full name", { autocomplete: "shipping name" }, "Enter the name for the parcel."],
  ["shipping_address.line1", "Street and number", { autocomplete: "shipping address-line1" }, "Enter street and number."],
  ["shipping_address.line2", "Flat, floor, company", { autocomplete: "shipping address-line2", optional: true }, "This can't be used in an address."],
  ["shipping_address.postal_code", "Postal code", { autocomplete: "shipping postal-code", half: true }, "Enter the postal code: letters and digits only."],
  ["shipping_address.city", "Town or city", { autocomplete: "shipping address-level2", half: true }, "Enter the town or city."],
  ["shipping_address.region", "State or region", { autocomplete: "shipping address-level1", optional: true }, "This can't be used in an address."],
  ["shipping_address.country", "Country", { autocomplete: "shipping country" }, "Choose the country."],
];
const COUNTRIES = "AT AU BE CA CH CZ DE DK ES FI FR GB HK IE IT JP LU MX NL NO NZ PL PT SE SG US".split(" ");

const idOf = (name) => name.replaceAll(".", "-");

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  } catch {
    return {};
  }
}

function field([name, label, { optional = false, half = false, ...attributes }], values) {
  const id = idOf(name);
  const shared = { id, name, "aria-describedby": `${id}-error`, "aria-required": optional ? null : "true", ...attributes };
  return el("div", { class: half ? "field half" : "field" },
    el("label", { for: id }, label, optional && el("span", { class: "soft" }, " (optional)")),
    name.endsWith("country") ? countries(shared, values[name] ?? "US") : el("input", { type: "text", maxlength: "254", ...shared, value: values[name] ?? "" }),
    el("p", { class: "error", id: `${id}-error`, hidden: true }));
}

function countries(attributes, chosen) {
  const names = new Intl.DisplayNames(document.documentElement.lang, { type: "region" });
  const sorted = COUNTRIES.map((code) => [code, names.of(code)]).sort((one, other) => one[1].localeCompare(other[1]));
  return el("select", attributes, sorted.map(([code, name]) => el("option", { value: code, selected: code === chosen }, name)));
}

export function addressForm(onSubmit) {
  const values = kept();
  const form = el("form", { class: "address", novalidate: true, "aria-labelledby": "address-title" },
    el("h2", { id: "address-title" }, "Where shall we send it?"),
    el("div", { class: "summary-of-errors", tabindex: "-1", role: "alert", hidden: true }),
    el("div", { class: "fields" }, FIELDS.map((each) => field(each, values))),
    el("button", { type: "submit", class: "main" }, "Continue to payment"));
  form.addEventListener("input", () => {
    sessionStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(new FormData(form))));
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onSubmit(read(form));
  });
  return form;
}

// As checkout wants it: fields without a value are left out where they may be.
function read(form) {
  const given = new FormData(form);
  const body = { email: given.get("email").trim(), shipping_address: {} };
  for (const [name, , { optional }] of FIELDS.slice(1)) {
    const value = given.get(name).trim();
    if (value || !optional) body.shipping_address[name.split(".")[1]] = value;
  }
  return body;
}

// Shows each problem at its field and all of them above; answers how many belong to a field of this form.
export function showErrors(form, errors) {
  const box = $(".summary-of-errors", form);
  const found = FIELDS.filter(([name]) => errors.some((error) => error.field === name));
  for (const [name, , , words] of FIELDS) {
    const isWrong = found.some((each) => each[0] === name);
    const place = $(`#${idOf(name)}-error`, form);
    place.textContent = isWrong ? words : "";
    place.hidden = !isWrong;
    $(`#${idOf(name)}`, form).setAttribute("aria-invalid", String(isWrong));
  }
  box.hidden = !found.length;
  box.replaceChildren(el("p", {}, el("strong", {}, "Please have another look:")),
    el("ul", {}, found.map(([name, label]) => el("li", {}, el("a", { href: `#${idOf(name)}` }, label)))));
  if (found.length) focus(box);
  return found.length;
}

export function forgetAddress() {
  sessionStorage.removeItem(KEPT);
}
