// Prices. Checkout speaks in minor units (cents, or whole yen); how many decimals there are is the currency's affair.

const CURRENCY = "kct.currency";
const formats = new Map();

function format(currency) {
  if (!formats.has(currency)) {
    formats.set(currency, new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency }));
  }
  return formats.get(currency);
}

export function price(minor, currency) {
  const numbers = format(currency);
  const digits = numbers.resolvedOptions().maximumFractionDigits;
  return numbers.format(minor / 10 ** digits);
}

export function chosenCurrency(known) {
  const chosen = localStorage.getItem(CURRENCY);
  return known.includes(chosen) ? chosen : known[0];
}

export function chooseCurrency(currency) {
  localStorage.setItem(CURRENCY, currency);
}
