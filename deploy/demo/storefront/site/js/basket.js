// What the customer wants, by SKU. Prices and names are never kept: checkout's catalogue has them.

const BASKET = "kct.basket";
export const MOST = 99; // of one SKU; checkout takes no more

export function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(BASKET) ?? "[]");
    return kept.filter((line) => typeof line.sku === "string" && Number.isInteger(line.quantity) && line.quantity > 0);
  } catch {
    return [];
  }
}

function write(lines) {
  localStorage.setItem(BASKET, JSON.stringify(lines));
  dispatchEvent(new Event("basket"));
}

export function add(sku, quantity = 1) {
  const lines = read();
  const found = lines.find((line) => line.sku === sku);
  if (found) found.quantity = Math.min(MOST, found.quantity + quantity);
  else lines.push({ sku, quantity });
  write(lines);
}

export function change(sku, quantity) {
  write(read().flatMap((line) => (line.sku !== sku ? [line] : quantity > 0 ? [{ sku, quantity }] : [])));
}

// These were bought: what was put in since then stays.
export function takeOut(bought) {
  const pieces = new Map(bought.map(({ sku, quantity }) => [sku, quantity]));
  write(read().flatMap(({ sku, quantity }) => {
    const left = quantity - (pieces.get(sku) ?? 0);
    return left > 0 ? [{ sku, quantity: left }] : [];
  }));
}

export function pieces() {
  return read().reduce((sum, line) => sum + line.quantity, 0);
}

// The lines with their product and variant; what is not sold any more is left out.
export function filled(catalogue) {
  return read().flatMap((line) => {
    const found = catalogue.bySku.get(line.sku);
    return found ? [{ ...line, ...found }] : [];
  });
}

// Another tab changed it.
addEventListener("storage", (event) => {
  if (event.key === BASKET) dispatchEvent(new Event("basket"));
});
