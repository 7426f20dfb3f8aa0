# SIGSTOP for twins.

# freeze PID: waits until the program has leaked all that it will, stops it for 2 × `--idle`, and records the time
# from which it must be found within 3 × `--idle`.
freeze() {
    until_true test -e "$DIR/last-event"
    while (($(date +%s) - $(stat -c %Y "$DIR/last-event") <= (IDLE * 6 + 9) / 10)); do
        sleep 0.5
    done
    kill -STOP "$1"
    sleep "$(scaled 2)"
    kill -CONT "$1"
    # The harness adds 5 × `--idle`.
    awk -v now="$(date +%s.%N)" -v idle="$IDLE" 'BEGIN { printf "%.3f\n", now - 2 * idle }' >"$DIR/last-event"
}
