// Shared by all programs of the corpus: the pace, and the communication with the runner.

import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

/** Between one leak and the next. */
export const paceMs = Number(process.env.CORPUS_PACE_MS ?? 1000);
export const count = Number(process.env.CORPUS_COUNT ?? 25);

/** What must not be collected, for its end would close a connection. */
export const kept = [];

/** Does `step` as often as asked, at the pace asked for. */
export async function paced(step) {
  for (let number = 0; number < count; number++) {
    await step(number);
    await sleep(paceMs);
  }
}

export function say(line) {
  process.stdout.write(`${line}\n`);
}

/** Says that everything is done, and stays until the runner closes the standard input. */
export function ready() {
  say("ready");
  process.stdin.resume();
  process.stdin.on("end", () => process.exit(0));
}
