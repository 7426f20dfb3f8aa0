# rsyncd with slow transfers: the sender waits for the receiver.
packages="rsync"

start() {
    mkdir -p "$DIR/files"
    head -c 3000000 /dev/urandom >"$DIR/files/one"
    config rsyncd.conf <<END
use chroot = no
address = 127.0.0.1
port = $PORT
pid file = $DIR/rsyncd.pid
[files]
    path = $DIR/files
    uid = root
    gid = root
END
    background rsync --daemon --no-detach --config="$DIR/rsyncd.conf"
    ready "$PORT"
}

load() {
    local number
    for number in 1 2 3 4 5 6; do
        every 2 copy "$number"
    done
}

copy() {
    rsync -q --bwlimit=50 "rsync://127.0.0.1:$PORT/files/one" "$DIR/copy$1"
    rm -f "$DIR/copy$1"
}
