# Thirty long polls that are answered after 2 to 6 × --idle; polls that time out are closed.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/polls.py"
}
