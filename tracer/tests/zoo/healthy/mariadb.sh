# MariaDB: a pool of 30 that is idle most of the time, and results that are streamed slowly.
packages="mariadb-server"
pip="pymysql"

start() {
    install -d -o mysql "$DIR/data"
    mariadb-install-db --no-defaults --user=mysql --datadir="$DIR/data" --auth-root-authentication-method=normal >/dev/null
    background mariadbd --no-defaults --user=mysql --datadir="$DIR/data" --port="$PORT" \
        --bind-address=127.0.0.1 --socket="$DIR/data/s" --pid-file="$DIR/data/pid" \
        --skip-grant-tables --skip-networking=0 --net-write-timeout=3600 --innodb-buffer-pool-size=16M
    ready "$PORT"
}

load() {
    config clients.py <<'END'
import sys, threading, time
import pymysql

port, every = int(sys.argv[1]), float(sys.argv[2])

def connect(kind=pymysql.cursors.Cursor):
    return pymysql.connect(host="127.0.0.1", port=port, user="root", cursorclass=kind)

def stream():
    while True:
        connection = connect(pymysql.cursors.SSCursor)
        rows = connection.cursor()
        rows.execute("SELECT repeat('x', 50000) FROM information_schema.COLLATIONS")
        while rows.fetchone():
            time.sleep(every / 10)
        connection.close()

def idle():
    connection = connect()
    while True:
        connection.cursor().execute("SELECT 1")
        time.sleep(every * 4)

for work in [stream] * 5 + [idle] * 30:
    threading.Thread(target=work, daemon=True).start()
    time.sleep(0.1)
while True:
    time.sleep(every)
END
    background "$PYTHON" "$DIR/clients.py" "$PORT" "$IDLE"
}
