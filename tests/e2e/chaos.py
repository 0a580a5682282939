"""A proxy between clients and a server that comes and goes, which cuts connections at random: in the middle of a frame, behind
a request that its answer does not come back for."""

import random
import selectors
import socket
import threading


class Proxy:
    """Forwards `address` (its own, which stays) to where `server` says. budget: bytes after which a connection is cut, at most."""

    def __init__(self, seed, budget=40000):
        self.random = random.Random(seed)
        self.budget = budget
        self.server = None
        self.cuts = 0
        self.calm = False
        self.ending = False
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.peers = {}
        self.left = {}
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _accept(self):
        try:
            client, _ = self.listener.accept()
        except BlockingIOError:
            return
        try:
            host, port = self.server.rsplit(":", 1)
            server = socket.create_connection((host, int(port)), timeout=5)
        except (OSError, AttributeError):
            client.close()
            return
        for a, b in ((client, server), (server, client)):
            a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            a.settimeout(5)
            self.peers[a] = b
            self.left[a] = 1 << 60 if self.calm else self.random.randrange(100, self.budget)
            self.selector.register(a, selectors.EVENT_READ)

    def _cut(self, a):
        b = self.peers.pop(a)
        del self.peers[b]
        for s in (a, b):
            self.selector.unregister(s)
            del self.left[s]
            s.close()

    def _forward(self, a):
        try:
            data = a.recv(1 << 16)
            left = self.left[a]
            if data and len(data) <= left:
                self.left[a] -= len(data)
                self.peers[a].sendall(data)
                return
            if data:
                self.cuts += 1
                self.peers[a].sendall(data[:left])
        except OSError:
            pass
        self._cut(a)

    def _run(self):
        while not self.ending:
            for key, _ in self.selector.select(0.05):
                if key.fileobj is self.listener:
                    self._accept()
                elif key.fileobj in self.peers:
                    self._forward(key.fileobj)

    def close(self):
        self.ending = True
        self.thread.join()
        for a in list(self.peers):
            if a in self.peers:
                self._cut(a)
        self.listener.close()
        self.selector.close()
