# slapd: connections of a pool that are silent for minutes, and clients that come and go.
packages="slapd ldap-utils"

start() {
    mkdir -p "$DIR/data"
    config slapd.conf <<END
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $DIR/slapd.pid
database mdb
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
rootpw secret
directory $DIR/data
END
    background /usr/sbin/slapd -d 0 -f "$DIR/slapd.conf" -h "ldap://127.0.0.1:$PORT"
    ready "$PORT"
}

load() {
    config clients.py <<'END'
import socket, sys, time

# An anonymous bind.
BIND = bytes.fromhex("300c020101600702010304008000")
port, pause = int(sys.argv[1]), float(sys.argv[2])
connections = []
for _ in range(30):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(BIND)
    connection.recv(4096)
    connections.append(connection)
while True:
    time.sleep(pause)
    for connection in connections:
        connection.sendall(BIND)
        connection.recv(4096)
END
    background "$PYTHON" "$DIR/clients.py" "$PORT" "$(scaled 4)"
    every 5 ldapsearch -x -H "ldap://127.0.0.1:$PORT" -s base -b "" namingContexts
}
