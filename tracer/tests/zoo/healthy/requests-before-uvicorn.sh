# A requests pool of 50 with bursts of random size, 45 to 90 s apart, before uvicorn, whose keep-alive is 5 s.
pip="requests uvicorn"

start() {
    config app.py <<'END'
import asyncio


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await asyncio.sleep(0.5)
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
END
    background "$PYTHON" -m uvicorn --port $((PORT + 1)) --no-access-log app:app
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --pool 50 --depth 1 --low 45 --high 90
}
