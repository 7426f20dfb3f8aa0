// Servers, each with clients in a separate process:
// `server.mjs idle` has clients that made one request and keep the connection,
// `server.mjs proxy --upstream URL` forwards large responses to clients that do not read them.

import { fork } from "node:child_process";
import http from "node:http";
import net from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { count, kept, ready, say } from "./pace.mjs";

/** More than enough for a finding, and few enough for the buffers of the kernel. */
const STALLED = 8;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { upstream: { type: "string" }, port: { type: "string" } },
});

const kinds = {
  idle: () => serve((request, response) => response.end("hello\n"), "idle-clients"),

  proxy: () => {
    const agent = new http.Agent({ keepAlive: true });
    return serve((request, response) => {
      http.get(values.upstream, { agent }, (answer) => answer.pipe(response));
    }, "stalled-clients");
  },

  // The clients of both, in the child.
  "idle-clients": () => connect(count, (socket) => socket.resume()),
  "stalled-clients": () => connect(STALLED, (socket) => socket.pause()),
};

/** Serves clients of that kind and returns when all of them have asked. */
async function serve(handler, clients) {
  // By default, Node closes idle connections after 5 s.
  const server = http.createServer({ keepAliveTimeout: 0 }, handler);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  kept.push(server);

  const port = String(server.address().port);
  const child = fork(new URL(import.meta.url), [clients, "--port", port]);
  process.on("exit", () => child.kill());
  await new Promise((resolve) => child.once("message", resolve));

  say(`judge ${process.pid}`);
  // Idle clients are healthy too; stalled ones are the cause, and are not judged here.
  if (clients === "idle-clients") say(`judge ${child.pid}`);
  await sleep(500);
  ready();
}

async function connect(number, received) {
  const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (let opened = 0; opened < number; opened++) {
    const socket = net.connect(Number(values.port), "127.0.0.1", () => socket.write(request));
    received(socket);
    kept.push(socket);
    await new Promise((resolve) => socket.once("connect", resolve));
  }
  process.send("asked");
  process.on("disconnect", () => process.exit(0));
}

await kinds[positionals[0]]();
