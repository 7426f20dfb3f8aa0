// Opens connections and never closes them. Node connects later, when nothing of the application is
// on the stack any more. Commands come line by line, as those of leak.c.

import { connect } from "node:net";
import { createInterface } from "node:readline";

const leaked = [];

function leakOne(port) {
  const socket = connect(port, "127.0.0.1", () => console.log("ok 0"));
  // Nobody reads: a socket without a listener stays paused.
  leaked.push(socket);
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  leakOne(Number(line.split(" ")[1]));
}
process.exit();
