# A thread pool with a requests.Session for each thread, used in bursts of random size, half of them of all threads.
pip="requests"
reduced=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/sessions.py"
}
