# COMPRESS=DEFLATE by Python's zlib, in the clear and under TLS. Arguments: CA file, user, password, ports of IMAP and IMAPS.
import socket
import ssl
import sys
import zlib

ca_file, user, password = sys.argv[1:4]
imap, imaps = map(int, sys.argv[4:])
tls = ssl.create_default_context(cafile=ca_file)


class Client:
    def __init__(self, port, secure):
        self.socket = socket.create_connection(("localhost", port), timeout=60)
        if secure:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.encoder = self.decoder = None
        self.heard = b""
        self.until(b"* OK")

    def receive(self):
        octets = self.socket.recv(65536)
        assert octets, "the server closed the connection"
        self.heard += self.decoder.decompress(octets) if self.decoder else octets

    def until(self, start):
        """Reads until a line begins so; returns all that was heard."""
        while True:
            at = 0 if self.heard.startswith(start) else self.heard.find(b"\r\n" + start) + 2
            if (at or self.heard.startswith(start)) and (at != 1) and b"\r\n" in self.heard[at:]:
                end = self.heard.index(b"\r\n", at) + 2
                said, self.heard = self.heard[:end], self.heard[end:]
                return said
            self.receive()

    def send(self, octets):
        if self.encoder:
            octets = self.encoder.compress(octets) + self.encoder.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(octets)

    def command(self, tag, octets):
        self.send(tag + b" " + octets + b"\r\n")
        said = self.until(tag + b" ")
        assert b"\r\n" + tag + b" OK" in b"\r\n" + said, said
        return said

    def compress(self):
        self.command(b"z", b"COMPRESS DEFLATE")
        self.encoder = zlib.compressobj(6, zlib.DEFLATED, -15)
        self.decoder = zlib.decompressobj(-15)


def conversation(port, secure):
    client = Client(port, secure)
    said = client.command(b"a", b"LOGIN %s %s" % (user.encode(), password.encode()))
    assert b"COMPRESS=DEFLATE" in said, said
    client.compress()
    body = b"Subject: large\r\n\r\n" + b"".join(b"%d lines of text\r\n" % number for number in range(60_000))
    client.command(b"b", b"APPEND INBOX {%d+}\r\n" % len(body) + body)
    client.command(b"c", b"SELECT INBOX")
    fetched = client.command(b"d", b"FETCH * BODY.PEEK[]")
    assert body in fetched
    client.send(b"e IDLE\r\n")
    client.until(b"+ ")
    other = Client(port, secure)
    other.command(b"a", b"LOGIN %s %s" % (user.encode(), password.encode()))
    other.command(b"b", b"APPEND INBOX {3+}\r\nabc")
    client.until(b"* ")
    client.send(b"DONE\r\n")
    client.until(b"e OK")
    # Many small answers, each to be read when it is sent.
    for number in range(300):
        client.command(b"n%d" % number, b"NOOP")
    client.command(b"f", b"LOGOUT")


conversation(imap, False)
conversation(imaps, True)
print("compressed")
