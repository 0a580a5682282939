"""The binary protocol over a plain socket, written from net/PROTOCOL.md alone: for tests that must send
bytes which the client library would never send."""

import decimal
import socket
import struct

MAGIC = 0x444C464C
HELLO, PREPARE, CLOSE, EXECUTE, EXECUTE_BATCH, QUERY, PING, INFO, SCHEMA, READ, SUBSCRIBE, UNSUBSCRIBE = range(1, 13)
HOLD, RELEASE = 17, 18
HELLO_OK, PREPARED, CLOSED, DONE, ROWS, ERROR, PONG, INFO_OK, DONE_BATCH, SCHEMA_OK = range(64, 74)
SUBSCRIBED, CHANGES = 74, 75
SNAPSHOT, GROUP, PROGRESS, GAP, END = range(1, 6)
LATEST, STRICT = 1, 2
MORE, ASYNC = 1, 2
ONCE, EXPECT, META = 4, 8, 16
ACCEPTED, DURABLE, VISIBLE = 0, 1, 2
WIDTHS = {"b": ("<B", 1), "h": ("<h", 2), "i": ("<i", 4), "q": ("<q", 8), "d": ("<d", 8), "t": (None, 8),
          "n": (None, 17)}


def frame(kind, request, body=b"", flags=0, length=None, zero=0):
    return struct.pack("<IBBHQ", len(body) if length is None else length, kind, flags, zero,
                       request) + body


def hello(request=1, magic=MAGIC, lowest=1, highest=1, features=0):
    return frame(HELLO, request, struct.pack("<IHHQ", magic, lowest, highest, features))


def numeric_slot(text):
    """16 bytes of coefficient, a byte of scale."""
    d = decimal.Decimal(text).as_tuple()
    n = int("".join(map(str, d.digits))) * (-1 if d.sign else 1)
    return n.to_bytes(16, "little", signed=True) + bytes([-d.exponent])


def row(kinds, values):
    """A packed row. kinds: a letter a column (b bool, h int2, i int4, q int8, d float8, t text, n numeric
    given as text)."""
    nulls = bytearray((len(kinds) + 7) // 8)
    fixed = 4 + len(nulls) + sum(WIDTHS[k][1] for k in kinds)
    slots, tail = b"", b""
    for i, (k, v) in enumerate(zip(kinds, values)):
        if v is None:
            nulls[i // 8] |= 1 << (i % 8)
            slots += bytes(WIDTHS[k][1])
        elif k == "t":
            v = v if isinstance(v, bytes) else v.encode()
            slots += struct.pack("<II", fixed + len(tail), len(v))
            tail += v
        elif k == "n":
            slots += numeric_slot(v)
        else:
            slots += struct.pack(WIDTHS[k][0], v)
    size = (fixed + len(tail) + 7) // 8 * 8
    body = bytes(nulls) + slots + tail
    return struct.pack("<I", size) + body + bytes(size - 4 - len(body))


def unrow(kinds, data, at=0):
    """The values of the packed row at data[at:], and where it ends."""
    size, = struct.unpack_from("<I", data, at)
    nulls = data[at + 4:at + 4 + (len(kinds) + 7) // 8]
    slot = at + 4 + len(nulls)
    values = []
    for i, k in enumerate(kinds):
        if nulls[i // 8] >> (i % 8) & 1:
            values.append(None)
        elif k == "t":
            where, n = struct.unpack_from("<II", data, slot)
            values.append(data[at + where:at + where + n].decode())
        elif k == "n":
            n = int.from_bytes(data[slot:slot + 16], "little", signed=True)
            values.append(format(decimal.Decimal(n).scaleb(-data[slot + 16]), "f"))
        else:
            values.append(struct.unpack_from(WIDTHS[k][0], data, slot)[0])
        slot += WIDTHS[k][1]
    return values, at + size


def options(once=None, expect=None, meta=None):
    """What stands between the head of EXECUTE and its rows."""
    out = b"" if once is None else struct.pack("<QQ", *once)
    out += b"" if expect is None else struct.pack("<Q", expect)
    if meta is not None:
        out += struct.pack("<I", len(meta)) + meta + bytes(-(4 + len(meta)) % 8)
    return out


class Answer:
    """A frame from the server, its body taken apart."""

    def __init__(self, head, body):
        self.length, self.kind, self.flags, self.zero, self.request = head
        self.body = body
        if self.kind == ERROR:
            self.state = body[:5].decode()
            m, d, h, self.position = struct.unpack_from("<HHHi", body, 6)
            self.message = body[16:16 + m].decode()
            self.detail = body[16 + m:16 + m + d].decode()
            assert len(body) == 16 + m + d + h, "an error's texts fill its body"
        elif self.kind == DONE:
            self.epoch, self.count, self.parts, self.parts_all = struct.unpack("<QQII", body)
        elif self.kind == DONE_BATCH:
            assert len(body) % 24 == 0 and body, "a batch is of whole items"
            self.items = list(struct.iter_unpack("<QQQ", body))
        elif self.kind == ROWS:
            self.epoch, self.count, _ = struct.unpack_from("<QII", body)
        elif self.kind == PREPARED:
            (self.handle, self.statement_kind, _, self.nparams, self.nresults, _,
             _) = struct.unpack_from("<IBBHHHI", body)

        elif self.kind == SUBSCRIBED:
            self.epoch, zero = struct.unpack("<QQ", body)
            assert zero == 0
        elif self.kind == CHANGES:
            self.epoch, self.count, self.what, self.last, zero = struct.unpack_from("<QIBBH", body)
            assert zero == 0 and SNAPSHOT <= self.what <= END
            assert bool(self.flags & MORE) == (self.what != END)

    def changes(self, kinds):
        """(times, old, new) each, None where there is none."""
        at, out = 16, []
        for _ in range(self.count):
            times, op = struct.unpack_from("<IB3x", self.body, at)
            at += 8
            assert times > 0 and op in (1, 2, 3)
            old = new = None
            if op != 1:
                old, at = unrow(kinds, self.body, at)
            if op != 3:
                new, at = unrow(kinds, self.body, at)
            out.append((times, old, new))
        assert at == len(self.body), "changes fill the frame"
        return out

    def rows(self, kinds):
        at, out = 16, []
        for _ in range(self.count):
            values, at = unrow(kinds, self.body, at)
            out.append(values)
        assert at == len(self.body), "rows fill the frame"
        return out


class Connection:
    def __init__(self, address, greet=True, timeout=30, receive_buffer=None):
        host, port = address.rsplit(":", 1)
        host = host.strip("[]")
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        self.next = 100
        if greet:
            self.send(hello())
            self.hello_ok = self.receive()
            assert self.hello_ok.kind == HELLO_OK

    def send(self, data):
        self.socket.sendall(data)

    def _fill(self, n):
        while len(self.data) < n:
            try:
                more = self.socket.recv(1 << 20)
            except ConnectionResetError:
                more = b""
            if not more:
                return False
            self.data += more
        return True

    def receive(self):
        """The next frame; None: the server has closed the connection between two frames."""
        if not self._fill(16):
            assert not self.data, "closed within a frame"
            return None
        head = struct.unpack_from("<IBBHQ", self.data)
        whole = self._fill(16 + head[0])
        assert whole, "closed within a frame"
        body = self.data[16:16 + head[0]]
        self.data = self.data[16 + head[0]:]
        return Answer(head, body)

    def request(self):
        self.next += 1
        return self.next

    def prepare(self, text, types=()):
        text = text.encode()
        self.send(frame(PREPARE, self.request(),
                        struct.pack("<HHI", len(types), 0, len(text)) + bytes(types) + text))
        return self.receive()

    def execute(self, handle, *rows, ack=VISIBLE, timeout=0, at_least=0, request=None, count=None,
                once=None, expect=None, meta=None):
        """The bytes of EXECUTE, or of EXECUTE_BATCH with several rows. once: (client, request)."""
        count = len(rows) if count is None else count
        return frame(EXECUTE if count == 1 else EXECUTE_BATCH, self.request() if request is None else request,
                     struct.pack("<IB3xIIQ", handle, ack, timeout, count, at_least) +
                     options(once, expect, meta) + b"".join(rows),
                     flags=(once is not None) * ONCE + (expect is not None) * EXPECT +
                     (meta is not None) * META)

    def read(self, *reads, timeout=0, at_least=0, request=None, count=None):
        """The bytes of READ. reads: (handle, row) each."""
        return frame(READ, self.request() if request is None else request,
                     struct.pack("<IIQ", len(reads) if count is None else count, timeout, at_least) +
                     b"".join(struct.pack("<II", handle, 0) + packed for handle, packed in reads))

    def subscribe(self, handle, packed=row("", []), flags=0, since=0, timeout=0, request=None):
        """Send SUBSCRIBE; its request."""
        request = self.request() if request is None else request
        self.send(frame(SUBSCRIBE, request, struct.pack("<IB3xIIQ", handle, flags, timeout, 0, since) + packed))
        return request

    def query(self, text, ack=VISIBLE, timeout=0, at_least=0, request=None):
        """The bytes of QUERY."""
        return frame(QUERY, self.request() if request is None else request,
                     struct.pack("<B3xIQ", ack, timeout, at_least) + text.encode())

    def run(self, text, **options):
        """Send a QUERY; its last answer (an ERROR, a DONE or the last ROWS), rows of earlier frames
        in `more`."""
        self.send(self.query(text, **options))
        more = []
        while True:
            a = self.receive()
            assert a is not None, "closed while a query was under way"
            if a.kind == PREPARED:
                continue
            if a.kind == ROWS and a.flags & MORE:
                more.append(a)
                continue
            a.more = more
            return a

    def info(self):
        self.send(frame(INFO, self.request()))
        text = self.receive().body.decode()
        return {k: int(v) for k, v in (line.split(" ") for line in text.splitlines())}

    def close(self):
        self.socket.close()
