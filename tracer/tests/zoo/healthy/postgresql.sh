# PostgreSQL behind pgbouncer, and directly: cursors that are read now and then, COPY that is slow,
# sessions idle in a transaction, waiters for a notification; the pooler is reloaded.
packages="postgresql pgbouncer"
pip="psycopg2-binary"
reduced=yes
short=yes

start() {
    local programs
    programs=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
    mkdir -p "$DIR/sockets"
    chown postgres "$DIR/sockets"
    install -d -o postgres "$DIR/data"
    as postgres "$programs/initdb" -D "$DIR/data" --auth trust >/dev/null
    background runuser -u postgres -- "$programs/postgres" -D "$DIR/data" -p "$PORT" -h 127.0.0.1 \
        -k "$DIR/sockets" -c fsync=off -c max_connections=100
    config pgbouncer.ini <<END
[databases]
postgres = host=127.0.0.1 port=$PORT
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $((PORT + 1))
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
server_idle_timeout = 600
pidfile = $DIR/pgbouncer.pid
logfile = $DIR/pgbouncer.log
ignore_startup_parameters = extra_float_digits
END
    sed -i 's/^postgres = .*/& user=postgres/' "$DIR/pgbouncer.ini"
    ready "$PORT"
    background runuser -u postgres -- pgbouncer "$DIR/pgbouncer.ini"
    ready $((PORT + 1))
}

load() {
    config clients.py <<'END'
import io, select, sys, threading, time
import psycopg2

port, every = int(sys.argv[1]), float(sys.argv[2])

def connect(port):
    return psycopg2.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres")

def cursor():
    while True:
        with connect(port) as connection:
            rows = connection.cursor("rows")
            rows.itersize = 100
            rows.execute("SELECT generate_series(1, 1000), repeat('x', 1000)")
            while rows.fetchmany(100):
                time.sleep(every)
        connection.close()

class Slow(io.StringIO):
    def write(self, text):
        time.sleep(every / 10)
        return len(text)

def copy():
    while True:
        with connect(port) as connection:
            query = "COPY (SELECT repeat('x', 100000) FROM generate_series(1, 60)) TO STDOUT"
            connection.cursor().copy_expert(query, Slow())
        connection.close()

def listen():
    connection = connect(port)
    connection.autocommit = True
    connection.cursor().execute("LISTEN news")
    while True:
        select.select([connection], [], [])
        connection.poll()
        connection.notifies.clear()

def pooled():
    connection = connect(port + 1)
    connection.autocommit = True
    while True:
        connection.cursor().execute("SELECT pg_sleep(0.2)")
        time.sleep(every * 3)

for work in [cursor] * 3 + [copy] * 4 + [listen] * 8 + [pooled] * 30:
    threading.Thread(target=work, daemon=True).start()
while True:
    time.sleep(every)
END
    background "$PYTHON" "$DIR/clients.py" "$PORT" "$IDLE"
}

disturb() {
    kill -HUP "$(cat "$DIR/pgbouncer.pid")"
}
