"""Keep-alive clients in a process of their own: `python -m bench.load SCHEME HOST PORT CLIENTS SECONDS`.

The request to repeat comes on stdin.
Plain sockets and one selector: the clients share two cores with the server, so they must cost next to nothing.
Prints requests per second and latencies in ms as JSON.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import sys
import time

#: Seconds of load before counting begins.
WARM_UP = 0.5


class Client:
    """One connection that sends the same request again and again."""

    __slots__ = ("answer", "began", "expected", "latencies", "request", "socket")

    def __init__(self, address: tuple[str, int], request: bytes, tls: ssl.SSLContext | None) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket)
        self.request = request
        self.latencies: list[float] = []
        self.send()

    def send(self) -> None:
        self.answer = b""
        self.expected = 0
        self.began = time.perf_counter()
        self.socket.sendall(self.request)

    def receive(self) -> None:
        """Take what came; when the answer is whole, note its time and send again."""
        data = self.socket.recv(1 << 16)
        while isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            data += self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the server closed a keep-alive connection")
        self.answer += data
        if not self.expected:
            end = self.answer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.answer[:end].lower()
            if not head.startswith(b"http/1.1 200"):
                raise ConnectionError(self.answer[:200].decode(errors="replace"))
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self.expected = end + 4 + int(length) if length else -1
        chunked_end = self.expected < 0 and self.answer.endswith(b"\r\n0\r\n\r\n")
        if chunked_end or 0 < self.expected <= len(self.answer):
            self.latencies.append(time.perf_counter() - self.began)
            self.send()


def main() -> None:
    scheme, host = sys.argv[1:3]
    port, clients, seconds = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    tls = None
    if scheme == "https":
        # The server's certificate is its own, made for this run: its cost is what counts here.
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    request = sys.stdin.buffer.read()
    selector = selectors.DefaultSelector()
    crowd = [Client((host, port), request, tls) for _ in range(clients)]
    for client in crowd:
        selector.register(client.socket, selectors.EVENT_READ, client)
    end = time.perf_counter() + WARM_UP
    counting = False
    while True:
        for key, _ in selector.select(1):
            key.data.receive()
        now = time.perf_counter()
        if now >= end:
            if counting:
                break
            counting, start, end = True, now, now + seconds
            for client in crowd:
                client.latencies.clear()
    latencies = sorted(latency for client in crowd for latency in client.latencies)
    if not latencies:
        sys.exit("not one answer")
    json.dump(
        {
            "rate": len(latencies) / (now - start),
            "requests": len(latencies),
            "median": latencies[len(latencies) // 2] * 1000,
            "p95": latencies[int(len(latencies) * 0.95)] * 1000,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
