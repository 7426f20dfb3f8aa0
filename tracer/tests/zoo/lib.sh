# Helpers for exhibits, and the loop through which `cargo xtask zoo` calls their functions.
# The harness runs `bash lib.sh EXHIBIT`, writes the names of functions to standard input, and reads
# each name back from standard output when the function has returned.
set -euo pipefail

# background COMMAND...: starts it in the background; its pid is in $! afterwards.
background() {
    "$@" </dev/null >>"$DIR/output.log" 2>&1 &
}

# every SECONDS COMMAND...: runs it repeatedly, in the background.
every() {
    background repeat "$@"
}

repeat() {
    local seconds=$1
    shift
    while :; do
        "$@" || true
        sleep "$seconds"
    done
}

# ready PORT...: waits until 127.0.0.1 accepts connections on each of them.
ready() {
    local port
    for port in "$@"; do
        until_true listening "$port"
    done
}

# listening PORT: whether 127.0.0.1 accepts a connection.
listening() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# until_true COMMAND...: waits until it succeeds, at most 40 s.
until_true() {
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        if "$@"; then
            return
        fi
        sleep 0.2
    done
    echo "not within 40 s: $*" >&2
    return 1
}

# config FILE: writes standard input to a file in the scratch directory.
config() {
    mkdir -p "$(dirname "$DIR/$1")"
    cat >"$DIR/$1"
}

# as USER COMMAND...: runs it as another user.
as() {
    local user=$1
    shift
    runuser -u "$user" -- "$@"
}

# python ARGUMENT...: the interpreter that has the exhibit's packages. To start it in the background,
# `background "$PYTHON" ...`, so that $! is its pid.
python() {
    "$PYTHON" "$@"
}

# scaled N: N times --idle, in seconds.
scaled() {
    awk -v idle="$IDLE" -v times="$1" 'BEGIN { print idle * times }'
}

# event: for twins, writes the time of the last leak, which the harness reads.
event() {
    date +%s.%N >"$DIR/last-event"
}

serve() {
    local name
    while read -r name; do
        if declare -F "$name" >/dev/null; then
            case $name in
            # The harness reads the output of these.
            expect | accept) "$name" </dev/null >"$DIR/$name" 2>>"$DIR/output.log" ;;
            *) "$name" </dev/null >>"$DIR/output.log" 2>&1 ;;
            esac
        fi
        echo "$name"
    done
}

# shellcheck source=/dev/null
source "$1"
cd "$DIR"
serve
