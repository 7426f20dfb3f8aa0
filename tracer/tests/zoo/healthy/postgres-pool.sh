# A pool of psycopg2 connections with bursts of 1 to 50, before PostgreSQL with idle_session_timeout = 5s.
packages="postgresql"
pip="psycopg2-binary"

start() {
    local bin
    bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/postgres | tail -n 1)")
    install -d -o postgres "$DIR/data" "$DIR/run"
    as postgres "$bin/initdb" --auth trust --no-sync -D "$DIR/data"
    background as postgres "$bin/postgres" -D "$DIR/data" -p $((PORT + 1)) -h 127.0.0.1 -k "$DIR/run" \
        -c idle_session_timeout=5s -c fsync=off -c max_connections=120
    ready $((PORT + 1))
    until_true as postgres "$bin/pg_isready" -h 127.0.0.1 -p $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/pools.py" --to postgres
}
