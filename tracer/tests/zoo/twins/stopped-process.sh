# As error-path, but the process is under SIGSTOP for two idle times when 25 have leaked.
reduced=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/checks.py" --pace 0.1 --leak
    background freeze $!
}

freeze() {
    sleep "$(scaled 3.2)"
    kill -STOP "$1"
    sleep "$(scaled 2)"
    kill -CONT "$1"
    # To be found within three idle times from here: five after what is written down.
    awk -v now="$(date +%s.%N)" -v idle="$IDLE" 'BEGIN { printf "%.3f\n", now - 2 * idle }' >"$DIR/last-event"
}

expect() {
    echo "close-wait,ghost 127.0.0.1:$((PORT + 1)) 25"
}
