"""A client of the REST front end, and of its events."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any

__all__ = ["Answered", "Client", "Follower", "basic"]


def basic(user: str, password: str | None = None) -> str:
    """The Authorization header of a user, whose password is the name where none is given."""
    return "Basic " + base64.b64encode(f"{user}:{user if password is None else password}".encode()).decode()


class Answered:
    """An answer."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self) -> Any:
        """The body, which has to be JSON."""
        assert self.headers["content-type"] == "application/json", (self.status, self.body)
        return json.loads(self.body)


class Client:
    """Asks a server on this host.

    Parameters:
        port: of the server.
        headers: sent with everything.

    Attributes:
        headers: as given; a test may change them.
    """

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self.port = port
        self.headers = {"X-Virtcim-Request": "1", **(headers or {})}

    def ask(self, method: str, target: str, body: Any = None, **headers: str | None) -> Answered:
        """Make a request on a connection of its own.

        Parameters:
            body: of JSON, or bytes as they are.
            headers: an underscore stands for a hyphen; None leaves one out.
        """
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given: dict[str, str | None] = dict(self.headers)
        if method in {"POST", "PATCH"}:
            given["Content-Type"] = "application/json"
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, target, sent, {k: v for k, v in given.items() if v is not None})
            return Answered(connection.getresponse())
        finally:
            connection.close()

    def get(self, target: str, **headers: str | None) -> Any:
        """Read what has to be there."""
        answer = self.ask("GET", target, **headers)
        assert answer.status == 200, (target, answer.body)
        return answer.json

    def log_in(self, user: str, password: str | None = None) -> Answered:
        """Log in, and send the cookie from then on."""
        answer = self.ask("POST", "/api/session", {"user": user, "password": user if password is None else password})
        if answer.status == 201:
            self.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
        return answer


class Follower:
    """Follows what happens.

    Parameters:
        client: whose headers are sent.
        target: with the parameters of the stream.
        last: the identifier of the last event that is known.

    Attributes:
        last: likewise.
    """

    def __init__(self, client: Client, target: str = "/api/events", last: str = "") -> None:
        self.last = last
        self._connection = HTTPConnection("127.0.0.1", client.port, timeout=60)
        headers = {**client.headers, "Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        self._connection.request("GET", target, headers=headers)
        self.response = self._connection.getresponse()
        if self.response.status == 200:
            assert self.response.getheader("Content-Type") == "text/event-stream"
            self._read()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """What happens, as pairs of kind and data, until the stream ends."""
        while (event := self._read()) is not None:
            if event[1] is not None:
                yield event

    def next(self) -> tuple[str, Any]:
        """Wait for the next event."""
        return next(iter(self))

    def _read(self) -> tuple[str, Any] | None:
        kind, data, seen = "message", None, False
        while line := self.response.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if not name and not value:
                if seen:
                    return kind, data
                continue
            seen = True
            match name:
                case "id":
                    self.last = value
                case "event":
                    kind = value
                case "data":
                    data = json.loads(value)
        return None

    def close(self) -> None:
        """Go away."""
        if self._connection.sock is not None:
            self._connection.sock.close()
        self.response.close()
        self._connection.close()
