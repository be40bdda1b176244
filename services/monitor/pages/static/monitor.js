// Keeps the page up to date: sections as they change, ages every second. Without it the page reloads itself.
"use strict";

const link = document.getElementById("link");
const shown = new Map();

function age(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

// The server's clock decides what "ago" means; ours may be off.
let ahead = 0;

function tick() {
  const now = Date.now() - ahead;
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const text = age((now - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== text) time.textContent = text;
  }
}

function show(sections) {
  for (const [id, html] of Object.entries(sections)) {
    // What did not change is left alone: no flicker, no lost focus, nothing read aloud twice.
    if (shown.get(id) === html) continue;
    const section = document.getElementById(id);
    const scrolled = [...section.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
    const focused = section.contains(document.activeElement)
      ? [...section.querySelectorAll(".scroll")].indexOf(document.activeElement)
      : -1;
    section.innerHTML = html;
    section.querySelectorAll(".scroll").forEach((box, index) => {
      box.scrollLeft = scrolled[index] || 0;
      if (index === focused) box.focus({ preventScroll: true });
    });
    shown.set(id, html);
  }
}

function say(text, isLive) {
  if (link.textContent !== text) link.textContent = text;
  link.classList.toggle("live", isLive);
}

function title() {
  const open = document.querySelectorAll("article.incident").length;
  document.title = `${open ? `${open} open · ` : ""}KCT Payments monitor`;
}

function watch() {
  const source = new EventSource("/live");
  source.addEventListener("status", (event) => {
    const message = JSON.parse(event.data);
    ahead = Date.now() - Date.parse(message.at);
    show(message.sections);
    title();
    tick();
    say("Live", true);
  });
  source.addEventListener("error", () => {
    say("Reconnecting", false);
    // A refusal (all places taken, a restart behind a proxy) closes it for good; try again ourselves.
    if (source.readyState === EventSource.CLOSED) setTimeout(watch, 5000);
  });
}

say("Connecting", false);
tick();
setInterval(tick, 1000);
watch();
