# As error-path, but the process is under SIGSTOP for 2 × --idle when 25 have leaked.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/checks.py" --pace 0.1 --leak
    local client=$!
    source "$PROGRAMS/freeze.sh"
    background freeze "$client"
}

expect() {
    echo "close-wait,ghost 127.0.0.1:$((PORT + 1)) 25"
}
