# Measures IMAP over TLS: PORT LOGINS USER PASSWORD. Prints the median time from connecting to the first FETCH's answer in
# ms, and the rate of FETCH 1:* BODY.PEEK[] in MB/s.
import socket, ssl, statistics, sys, time

port, logins, user, password = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
context = ssl._create_unverified_context()
buffer = bytearray(1 << 18)


def connect():
    raw = socket.create_connection(("127.0.0.1", port), timeout=60)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw)


def ask(connection, line, answer):
    if line:
        connection.sendall(line + b"\r\n")
    total, tail = 0, b""
    while True:
        count = connection.recv_into(buffer)
        if count == 0:
            sys.exit("the server closed the connection after %r" % line)
        total += count
        tail = (tail + bytes(buffer[max(0, count - 200):count]))[-200:]
        last = tail.rstrip(b"\r\n").rsplit(b"\r\n", 1)[-1]
        if tail.endswith(b"\r\n") and last.startswith(answer):
            return total


times = []
for _ in range(logins):
    began = time.perf_counter()
    connection = connect()
    ask(connection, None, b"* OK")
    ask(connection, b"a LOGIN %s %s" % (user.encode(), password.encode()), b"a OK")
    ask(connection, b"b SELECT INBOX", b"b OK")
    ask(connection, b"c FETCH 1 (UID FLAGS RFC822.SIZE)", b"c OK")
    times.append((time.perf_counter() - began) * 1000)
    ask(connection, b"d LOGOUT", b"d OK")
connection = connect()
ask(connection, None, b"* OK")
ask(connection, b"a LOGIN %s %s" % (user.encode(), password.encode()), b"a OK")
ask(connection, b"b SELECT INBOX", b"b OK")
ask(connection, b"c FETCH 1:* BODY.PEEK[]", b"c OK")
began = time.perf_counter()
total = ask(connection, b"d FETCH 1:* BODY.PEEK[]", b"d OK")
rate = total / (time.perf_counter() - began) / 1e6
print(statistics.median(times), rate)
