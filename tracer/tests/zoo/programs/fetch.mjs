// A client in Node, with the built-in fetch (undici), in bursts of twenty before a server that closes idle connections
// after 5 s, 1 to 4 × `--idle` apart. Every fifth of `--idle`, only the status of a large response is
// needed.
//
// leak: it does not cancel the body of that response, and keeps the response in a log, 25 times.
import { renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const { DIR, IDLE, PORT } = process.env;
const idleMs = IDLE * 1000;
const server = `http://127.0.0.1:${Number(PORT) + 1}`;
const leak = process.argv[2] === "leak";
const LEAKS = 25;
const log = [];

function event() {
  writeFileSync(`${DIR}/last-event.draft`, `${Date.now() / 1000}\n`);
  renameSync(`${DIR}/last-event.draft`, `${DIR}/last-event`);
}

async function get() {
  try {
    await (await fetch(`${server}/after?s=0.3`)).arrayBuffer();
  } catch {
    // The server closed the connection at that time.
  }
}

async function bursts() {
  for (;;) {
    await Promise.all(Array.from({ length: 20 }, get));
    await sleep(idleMs * (1 + 3 * Math.random()));
  }
}

async function statuses() {
  while (log.length < LEAKS) {
    await sleep(idleMs / 5);
    const response = await fetch(`${server}/bytes?n=100000000`);
    if (leak) {
      log.push(response);
      event();
    } else {
      await response.body.cancel();
    }
  }
  setInterval(() => {}, 1 << 30);
}

await Promise.all([bursts(), statuses()]);
