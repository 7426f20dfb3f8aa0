# dovecot: 20 IMAP clients in IDLE, which are silent for minutes, and clients that log in and log out.
packages="dovecot-imapd"
reduced=yes

start() {
    mkdir -p "$DIR/mail" "$DIR/run"
    chown -R nobody:nogroup "$DIR/mail"
    config dovecot.conf <<END
protocols = imap
listen = 127.0.0.1
base_dir = $DIR/run
state_dir = $DIR/run
log_path = $DIR/dovecot.log
ssl = no
disable_plaintext_auth = no
mail_location = maildir:$DIR/mail/%u
first_valid_uid = 1
mail_max_userip_connections = 100
imap_idle_notify_interval = 10 mins
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=$DIR/mail/%u
}
service imap-login {
  inet_listener imap {
    port = $PORT
  }
  inet_listener imaps {
    port = 0
  }
}
END
    background dovecot -F -c "$DIR/dovecot.conf"
    ready "$PORT"
}

load() {
    config clients.py <<'END'
import socket, sys, threading, time

port, pause = int(sys.argv[1]), float(sys.argv[2])

def session():
    connection = socket.create_connection(("127.0.0.1", port))
    lines = connection.makefile("rwb")
    lines.readline()
    for command in (b"a login u secret", b"b select INBOX"):
        lines.write(command + b"\r\n")
        lines.flush()
        while not lines.readline().startswith(command[:2]):
            pass
    return connection, lines

def idle():
    connection, lines = session()
    while True:
        lines.write(b"c IDLE\r\n")
        lines.flush()
        lines.readline()
        time.sleep(pause * 4)
        lines.write(b"DONE\r\n")
        lines.flush()
        while not lines.readline().startswith(b"c "):
            pass

for _ in range(20):
    threading.Thread(target=idle, daemon=True).start()
    time.sleep(0.2)
while True:
    connection, lines = session()
    time.sleep(3)
    lines.close()
    connection.close()
END
    background "$PYTHON" "$DIR/clients.py" "$PORT" "$IDLE"
}
