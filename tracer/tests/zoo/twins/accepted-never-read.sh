# As strange-requests, but the server never reads 25 connections with such requests; those of busy clients are read.
reduced=no

start() {
    background "$PYTHON" "$PROGRAMS/accepts.py" --strange send --leak
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/accepts.py" --strange send --leak --clients
}

expect() {
    echo "never-read,close-wait,undrained,ghost :$((PORT + 1)) 25"
}
