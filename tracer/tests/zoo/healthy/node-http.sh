# Node's HTTP server as a reverse proxy, with an agent that keeps connections, before a backend that
# closes idle ones after 5 s; slow and stalled clients, and clients that give up.
packages="nodejs"
reduced=yes

start() {
    config proxy.js <<'END'
const http = require("http");
const port = Number(process.argv[2]);
const agent = new http.Agent({ keepAlive: true, maxSockets: 60 });

http.createServer((request, response) => {
  const options = { host: "127.0.0.1", port: port + 1, path: request.url, agent };
  const upstream = http.request(options, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  upstream.on("error", () => response.destroy());
  response.on("close", () => upstream.destroy());
  upstream.end();
}).listen(port, "127.0.0.1");
END
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 1)) --keep-alive 5
    background node "$DIR/proxy.js" "$PORT"
    ready "$PORT" $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 4
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 8 --pause "$(scaled 4)"
    background "$PYTHON" "$PROGRAMS/client.py" giveup "127.0.0.1:$PORT" --count 4 --path "/slow?seconds=$(scaled 1)" --pause 2
    background "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 30 --path /small --every "$(scaled 2)"
}
