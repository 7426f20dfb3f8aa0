// Waits for input, so that a test can inspect its stack.

const fs = require('fs');

function ask() {
  return fs.readSync(0, Buffer.alloc(1));
}

class Client {
  fetchQuote() {
    const count = ask();
    return count + 1;
  }
}

setTimeout(() => new Client().fetchQuote(), 1);
