# As half-closed-requests, but the server does not close 25 connections after the response.
reduced=no

start() {
    background "$PYTHON" "$PROGRAMS/late.py" --to half --leak
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/late.py" --to half --leak --clients
}

expect() {
    echo "close-wait,ghost :$((PORT + 1)) 25"
}
