# ssh -L before a backend that restarts under 50 idle connections, and slow clients. The flow
# control of ssh is in its channels; its sockets do not show which peer it is waiting for.
packages="openssh-server openssh-client"
reduced=yes
short=yes

backend=
start() {
    mkdir -p "$DIR/.ssh" /run/sshd
    ssh-keygen -q -t ed25519 -N "" -f "$DIR/host"
    ssh-keygen -q -t ed25519 -N "" -f "$DIR/user"
    cp "$DIR/user.pub" "$DIR/authorized"
    config sshd.conf <<END
Port $((PORT + 2))
ListenAddress 127.0.0.1
HostKey $DIR/host
AuthorizedKeysFile $DIR/authorized
PidFile $DIR/sshd.pid
StrictModes no
UsePAM no
PermitRootLogin yes
END
    background /usr/sbin/sshd -D -e -f "$DIR/sshd.conf"
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 3))
    start_backend
    ready $((PORT + 2)) $((PORT + 3))
    background ssh -N -F none -i "$DIR/user" -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -o ExitOnForwardFailure=yes -p $((PORT + 2)) \
        -L "$PORT:127.0.0.1:$((PORT + 1))" -L "$((PORT + 4)):127.0.0.1:$((PORT + 3))" root@127.0.0.1
    ready "$PORT" $((PORT + 4))
}

start_backend() {
    background "$PYTHON" "$PROGRAMS/backend.py" lines $((PORT + 1))
    backend=$!
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" idle "127.0.0.1:$PORT" --count 50 --every "$(scaled 6)"
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$((PORT + 4))" --count 6
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$((PORT + 4))" --count 6 --pause "$(scaled 4)"
}

disturb() {
    kill "$backend"
    wait "$backend" || true
    start_backend
}
