# SPDX-License-Identifier: MIT
"""A proxy between gdb and a stub: counts packets and bytes, logs them, and knows when gdb has really
let the machine go (gdb says so to its user a little earlier; a Ctrl-C in between is lost)."""
import socket
import threading
import time

from .stream import DEADLINE_S, Timeout

RESUMES = (b"vCont;", b"c", b"s", b"C", b"S")
STOPS = (b"T", b"S", b"W", b"X")


class Proxy:
    """Serves one gdb on `port` and passes everything on to `to_port`."""

    def __init__(self, to_port, log=None):
        self.packets = 0  # gdb's requests, as in the figures of other stubs
        self.bytes = 0    # both ways
        self.resumed = False
        self._condition = threading.Condition()
        self._log = open(log, "wb") if log else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._to_port = to_port
        self._ends = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", self._to_port))
        self._ends = [client, server]
        for end in self._ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self._pump, args=(server, client, self._reply), daemon=True).start()
        self._pump(client, server, self._request)

    def _pump(self, source, sink, note):
        pending = b""
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            try:
                sink.sendall(data)
            except OSError:
                break
            with self._condition:
                self.bytes += len(data)
                pending = self._packets(pending + data, note)
                if self._log:
                    self._log.write((b">> " if note == self._request else b"<< ") + data + b"\n")
                    self._log.flush()
                self._condition.notify_all()
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @staticmethod
    def _packets(data, note):
        """Calls note() for each whole packet's body; returns the beginning of the next one."""
        while True:
            start = data.find(b"$")
            end = data.find(b"#", start)
            if start < 0:
                return b""
            if end < 0 or len(data) < end + 3:
                return data[start:]
            note(data[start + 1:end])
            data = data[end + 3:]

    def _request(self, body):
        self.packets += 1
        if body.startswith(RESUMES) and body != b"vCont?":
            self.resumed = True

    def _reply(self, body):
        if body.startswith(STOPS):
            self.resumed = False

    def wait_resumed(self):
        """Waits until gdb's request to run has gone out."""
        deadline = time.monotonic() + DEADLINE_S
        with self._condition:
            while not self.resumed:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Timeout("proxy: gdb has not let the machine run")
                self._condition.wait(left)

    def take_counts(self):
        """Packets and bytes since the last call."""
        with self._condition:
            counts = self.packets, self.bytes
            self.packets = self.bytes = 0
        return counts

    def close(self):
        self._listener.close()
        for end in self._ends:
            end.close()
        if self._log:
            self._log.close()
            self._log = None
