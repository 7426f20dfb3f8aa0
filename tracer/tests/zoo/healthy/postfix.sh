# postfix: clients that keep an SMTP session open and are silent, some that are slow to send a message,
# and some that disconnect without QUIT.
packages="postfix"

start() {
    mkdir -p "$DIR/etc" "$DIR/queue" "$DIR/data"
    chown postfix "$DIR/data"
    cp /usr/share/postfix/main.cf.dist "$DIR/etc/main.cf" 2>/dev/null || true
    config etc/main.cf <<END
compatibility_level = 3.6
queue_directory = $DIR/queue
data_directory = $DIR/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
myhostname = mail.example.org
mydestination =
alias_maps =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_timeout = 1h
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
relayhost = [127.0.0.1]:1
maillog_file = /dev/stdout
default_transport = discard
END
    config etc/master.cf <<END
127.0.0.1:$PORT inet n - n - 60 smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
END
    background postfix -c "$DIR/etc" start-fg
    ready "$PORT"
}

stop() {
    postfix -c "$DIR/etc" abort || true
}

load() {
    config clients.py <<'END'
import socket, sys, threading, time

port, pause = int(sys.argv[1]), float(sys.argv[2])

def talk(connection, *commands):
    for command in commands:
        connection.sendall(command + b"\r\n")
        connection.recv(4096)
        time.sleep(pause / 4)

def silent():
    while True:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.recv(4096)
            talk(connection, b"HELO example.org", b"NOOP")
            time.sleep(pause * 4)
            talk(connection, b"QUIT")

def slow():
    while True:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.recv(4096)
            talk(connection, b"HELO example.org", b"MAIL FROM:<a@example.org>",
                 b"RCPT TO:<b@example.net>", b"DATA")
            for _ in range(8):
                connection.sendall(b"hello\r\n")
                time.sleep(pause / 2)
            # It disconnects before the end of the message.

for work in [silent] * 15 + [slow] * 5:
    threading.Thread(target=work, daemon=True).start()
while True:
    time.sleep(60)
END
    background "$PYTHON" "$DIR/clients.py" "$PORT" "$IDLE"
}
