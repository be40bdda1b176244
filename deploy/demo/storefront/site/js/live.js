// How an order stands, as it changes: the server's events, read with fetch, since EventSource can send no token but in
// the address. Where there is no stream to be had, the order is asked for now and then.

import * as api from "./api.js";
import { config } from "./config.js";

const SILENT_MS = 40_000; // the server says something every 15 s
const POLL_MS = 3_000;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Calls onOrder with every new state until it answers true; throws a Problem when the order may not be seen.
export async function follow(id, token, onOrder) {
  let seen = null;
  for (;;) {
    let retryMs = POLL_MS;
    try {
      const answer = await open(id, token, seen);
      if (answer.ok) {
        for await (const event of events(answer.body)) {
          if (event.retry) retryMs = Number(event.retry);
          if (event.id) seen = event.id;
          if (event.data && onOrder(JSON.parse(event.data))) return;
        }
      } else if ([400, 401, 403, 404].includes(answer.status)) {
        throw new api.Problem(answer.status, await answer.json().catch(() => ({})));
      } else if (onOrder(await api.order(id, token))) return;
    } catch (error) {
      if (error instanceof api.Problem) throw error;
      // the line is down; again after the pause
    }
    await pause(retryMs);
  }
}

async function open(id, token, seen) {
  const headers = { Accept: "text/event-stream", Authorization: `Bearer ${token}` };
  if (seen) headers["Last-Event-ID"] = seen;
  return fetch(`${config.checkout_url}/v1/orders/${id}/events`, { headers, cache: "no-store" });
}

// The events of a stream, as {id, event, data, retry}. Ends when the stream does; throws when it falls silent.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { value, done } = await Promise.race([
        reader.read(), pause(SILENT_MS).then(() => { throw new Error("silent"); }),
      ]);
      if (done) return;
      text += value;
      const parts = text.split("\n\n");
      text = parts.pop();
      for (const part of parts) yield parse(part);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parse(part) {
  const event = {};
  for (const line of part.split("\n")) {
    const at = line.indexOf(":");
    if (at > 0) event[line.slice(0, at)] = line.slice(at + 1).trimStart();
  }
  return event;
}
