# uvicorn with its keep-alive of 5 s before a pool of 50 in bursts that notices closed connections when
# it uses them again, and long polls, WebSockets and event streams.
pip="uvicorn websockets"
reduced=yes
short=yes

start() {
    config app.py <<'END'
import asyncio

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": "hello"})
        return
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] == "/events":
        while True:
            await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
            await asyncio.sleep(5)
    if scope["path"] == "/poll":
        await asyncio.sleep(30)
    body = b"x" * (4_000_000 if scope["path"] == "/big" else 100)
    await send({"type": "http.response.body", "body": body})
END
    background "$PYTHON" -m uvicorn --app-dir "$DIR" --port "$PORT" --ws-ping-interval 300 --log-level warning app:app
    ready "$PORT"
}

load() {
    config sockets.py <<'END'
import asyncio, sys
import websockets

async def talk():
    async with websockets.connect(f"ws://127.0.0.1:{sys.argv[1]}/", ping_interval=None) as connection:
        while True:
            await connection.send("hello")
            await connection.recv()
            await asyncio.sleep(float(sys.argv[2]))

async def main():
    await asyncio.gather(*[talk() for _ in range(20)])

asyncio.run(main())
END
    background "$PYTHON" "$DIR/sockets.py" "$PORT" "$(scaled 4)"
    background "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 50 --path /small --every "$(scaled 3)"
    background "$PYTHON" "$PROGRAMS/client.py" poll "127.0.0.1:$PORT" --count 5 --path /poll
    background "$PYTHON" "$PROGRAMS/client.py" stream "127.0.0.1:$PORT" --count 5 --path /events
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 3
}
