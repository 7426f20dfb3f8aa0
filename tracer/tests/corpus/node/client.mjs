// Clients that leak responses, and clients that do not: `client.mjs KIND --url URL`.

import http from "node:http";
import { parseArgs } from "node:util";

import { count, kept, paced, ready } from "./pace.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { url: { type: "string" } },
});

const kinds = {
  // Checks the status and never reads the body.
  "fetch-unread": () => paced(async () => kept.push(await fetch(values.url))),

  "fetch-read": () => paced(async () => (await fetch(values.url)).arrayBuffer()),

  // A response without a listener for its data stays paused forever.
  "http-unread": () => {
    const agent = new http.Agent({ keepAlive: true });
    return paced(async () => kept.push(await response(agent)));
  },

  "http-read": () => {
    const agent = new http.Agent({ keepAlive: true });
    return paced(async () => drained(await response(agent)));
  },

  // One connection for each concurrent request, all kept for the next burst.
  "http-burst-pool": async () => {
    const agent = new http.Agent({ keepAlive: true, maxFreeSockets: count });
    const requests = Array.from({ length: count }, async () => drained(await response(agent)));
    await Promise.all(requests);
    kept.push(agent);
  },

  // One large download that is paused and will be continued.
  "http-paused": async () => {
    const download = await response(new http.Agent());
    download.once("data", () => download.pause());
    kept.push(download);
  },
};

function response(agent) {
  return new Promise((resolve, reject) => {
    http.get(values.url, { agent }, resolve).on("error", reject);
  });
}

function drained(message) {
  return new Promise((resolve, reject) => {
    message.resume().on("end", resolve).on("error", reject);
  });
}

await kinds[positionals[0]]();
ready();
