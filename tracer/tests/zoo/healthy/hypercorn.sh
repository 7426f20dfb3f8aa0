# hypercorn with a long keep-alive: it does not read from an idle connection after the client's FIN and
# closes it when the keep-alive time is over. The clients come in bursts and disconnect together.
pip="hypercorn"

start() {
    config app.py <<'END'
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
    headers = [(b"content-length", b"6")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello\n"})
END
    (cd "$DIR" && background "$PYTHON" -m hypercorn --bind "127.0.0.1:$PORT" --keep-alive "$(scaled 5)" app:app)
    ready "$PORT"
}

load() {
    every "$(scaled 6)" timeout "$(scaled 1)" "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 37 --path /small
}
