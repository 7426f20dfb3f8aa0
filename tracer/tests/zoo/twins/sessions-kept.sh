# As thread-sessions, but the sessions of 25 threads that lived for one job are kept in a list.
pip="requests"

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/sessions.py" --leak
}

expect() {
    echo "close-wait,ghost 127.0.0.1:$((PORT + 1)) 25"
}
