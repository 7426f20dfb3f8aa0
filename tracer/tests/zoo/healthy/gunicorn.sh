# gunicorn with threads, reloaded under keep-alive connections and while it serves slow clients.
pip="gunicorn"

start() {
    config app.py <<'END'
def app(environ, start_response):
    size = 4_000_000 if environ["PATH_INFO"] == "/big" else 6
    start_response("200 OK", [("Content-Length", str(size))])
    return [b"x" * size]
END
    background "$PYTHON" -m gunicorn --chdir "$DIR" --bind "127.0.0.1:$PORT" --threads 40 \
        --keep-alive "$(scaled 3)" --timeout 0 --graceful-timeout "$(scaled 2)" --pid "$DIR/pid" app:app
    ready "$PORT"
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 4
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 4 --pause "$(scaled 3)"
    background "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 20 --path /small --every "$(scaled 4)"
}

disturb() {
    kill -HUP "$(cat "$DIR/pid")"
}
