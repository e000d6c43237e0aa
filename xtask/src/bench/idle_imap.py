# Holds idle IMAP sessions open: PORT COUNT yes|no(TLS) USER PASSWORD. Prints "ready" and waits for the end of its input.
import resource, socket, ssl, sys

port, count, tls, user, password = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "yes", *sys.argv[4:]
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
context = ssl._create_unverified_context()
sessions = []


def until(reader, start):
    while True:
        line = reader.readline()
        if line.startswith(start):
            return
        if not line or b" NO " in line or b" BAD " in line:
            sys.exit("unexpected: %r" % line)


for _ in range(count):
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    if tls:
        connection = context.wrap_socket(connection)
    reader = connection.makefile("rb")
    until(reader, b"* OK")
    for line, answer in (
        ("a LOGIN %s %s" % (user, password), b"a OK"),
        ("b SELECT INBOX", b"b OK"),
        ("c IDLE", b"+"),
    ):
        connection.sendall(line.encode() + b"\r\n")
        until(reader, answer)
    sessions.append((connection, reader))
print("ready", flush=True)
sys.stdin.read()
