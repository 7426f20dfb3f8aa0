# git daemon: clones that come and go, and clients that request the list of references and read it
# slowly.
packages="git"

start() {
    git init -q --bare --initial-branch=main "$DIR/repo.git"
    git -C "$DIR/repo.git" -c user.name=a -c user.email=a@example.org commit-tree -m one \
        "$(git -C "$DIR/repo.git" mktree </dev/null)" >"$DIR/commit"
    git -C "$DIR/repo.git" update-ref refs/heads/main "$(cat "$DIR/commit")"
    background git daemon --listen=127.0.0.1 --port="$PORT" --base-path="$DIR" --export-all --reuseaddr
    ready "$PORT"
}

load() {
    every 5 clone
    local number
    for number in 1 2 3 4 5 6 7 8; do
        every 2 wait_with_references
    done
}

clone() {
    rm -rf "$DIR/clone"
    git clone -q "git://127.0.0.1:$PORT/repo.git" "$DIR/clone"
}

# Keeps the connection open while git daemon waits for the list of wanted objects.
wait_with_references() {
    (
        exec 3<>"/dev/tcp/127.0.0.1/$PORT"
        printf '0034git-upload-pack /repo.git\0host=127.0.0.1:%05d\0' "$PORT" >&3
        head -c 100 <&3 >/dev/null
        sleep "$(scaled 4)"
        printf '0000' >&3
    )
}
