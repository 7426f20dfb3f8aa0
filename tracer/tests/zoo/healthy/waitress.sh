# waitress with slow and stalled clients, and clients that give up before the response.
pip="waitress"

start() {
    config app.py <<'END'
import sys, time
import waitress

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(5)
    size = 4_000_000 if environ["PATH_INFO"] == "/big" else 6
    start_response("200 OK", [("Content-Length", str(size))])
    return [b"x" * size]

waitress.serve(app, host="127.0.0.1", port=int(sys.argv[1]), threads=8, channel_timeout=300)
END
    background "$PYTHON" "$DIR/app.py" "$PORT"
    ready "$PORT"
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 3
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 6 --pause "$(scaled 4)"
    background "$PYTHON" "$PROGRAMS/client.py" giveup "127.0.0.1:$PORT" --count 3 --path /slow --pause 2
    background "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 20 --path /small --every "$(scaled 3)"
}
