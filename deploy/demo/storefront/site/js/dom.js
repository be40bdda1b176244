// Builds elements. Text is always text: nothing that comes from elsewhere is ever parsed as HTML.

export const $ = (selector, root = document) => root.querySelector(selector);

export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Tells those who don't see the page. The same words twice are said twice.
export function say(text) {
  const place = $("#said");
  place.textContent = "";
  setTimeout(() => { place.textContent = text; }, 50);
}

// Replaces what is in `place`, and leads those who use a keyboard or a screen reader to its beginning.
export function show(place, ...children) {
  place.replaceChildren(...children.flat().filter(Boolean));
  place.removeAttribute("aria-busy");
}

export function focus(element) {
  if (!element) return;
  if (!element.matches("a[href], button, input, select, textarea, [tabindex]")) element.setAttribute("tabindex", "-1");
  element.focus();
}
