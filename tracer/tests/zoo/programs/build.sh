# Builds the programs of the zoo that are not scripts.

# go_zoo: builds the Go programs as `$DIR/go-zoo`. HOME is the exhibit's, but the cache is the user's, so that only
# the first build takes long.
go_zoo() {
    local home
    home=$(getent passwd "$(id -u)" | cut -d: -f6)
    (cd "$PROGRAMS/go" && GOCACHE="$home/.cache/go-build" GOTOOLCHAIN=local GOFLAGS=-mod=readonly \
        go build -o "$DIR/go-zoo" .)
}

# c_program NAME: compiles `programs/NAME.c` to `$DIR/NAME`.
c_program() {
    cc -O1 -g -o "$DIR/$1" "$PROGRAMS/$1.c"
}
