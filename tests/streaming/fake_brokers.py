"""Servers on loopback that are no broker, or speak just enough of the Kafka protocol to refuse us or let us in."""

import base64
import hashlib
import hmac
import ipaddress
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USERNAME, PASSWORD = "openshelf", "open sesame"
Behaviour = Callable[[socket.socket], None]

_METADATA, _SASL_HANDSHAKE, _API_VERSIONS, _SASL_AUTHENTICATE = 3, 17, 18, 36
_UNSUPPORTED_VERSION, _UNSUPPORTED_MECHANISM, _AUTHENTICATION_FAILED = 35, 33, 58
_HIGHEST = {_METADATA: 1, _SASL_HANDSHAKE: 1, _API_VERSIONS: 0, _SASL_AUTHENTICATE: 0}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads, allow_reuse_address = True, True


@contextmanager
def serving(behave: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server that treats every connection so."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, struct.error):
                self.request.settimeout(20)
                behave(tls.wrap_socket(self.request, server_side=True) if tls else self.request)

    with _Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def say_nothing(connection: socket.socket) -> None:
    while connection.recv(1_000):
        pass


def close_at_once(connection: socket.socket) -> None:
    connection.close()


def speak_http(connection: socket.socket) -> None:
    connection.recv(1_000)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def say_half(connection: socket.socket) -> None:
    """Announce an answer and never give it."""
    connection.recv(1_000)
    connection.sendall(struct.pack(">i", 1_000))
    time.sleep(20)


def ask_for_credentials(mechanism: str) -> Behaviour:
    """A broker that lets in whoever knows name and password, and tells its metadata."""

    def behave(connection: socket.socket) -> None:
        rounds = _scram() if mechanism.startswith("SCRAM") else _plain_password()
        next(rounds)
        while True:
            key, version, correlation, body = _request(connection)
            if key == _API_VERSIONS:
                error = 0 if version == 0 else _UNSUPPORTED_VERSION
                versions = [struct.pack(">hhh", each, 0, highest) for each, highest in _HIGHEST.items()]
                answer = struct.pack(">hi", error, len(versions)) + b"".join(versions)
            elif key == _SASL_HANDSHAKE:
                asked = body[2:].decode()
                error = 0 if asked == mechanism else _UNSUPPORTED_MECHANISM
                answer = struct.pack(">hi", error, 1) + _text(mechanism)
            elif key == _SASL_AUTHENTICATE:
                said = rounds.send(body[4:])
                error = 0 if said is not None else _AUTHENTICATION_FAILED
                answer = struct.pack(">h", error) + _text("Authentication failed: no such reader" if error else "")
                answer += struct.pack(">i", len(said or b"")) + (said or b"")
            else:
                port = connection.getsockname()[1]
                answer = struct.pack(">ii", 1, 1) + _text("127.0.0.1") + struct.pack(">ih", port, -1)
                answer += struct.pack(">ii", 1, 0)
            connection.sendall(struct.pack(">ii", len(answer) + 4, correlation) + answer)

    return behave


def _request(connection: socket.socket) -> tuple[int, int, int, bytes]:
    """Key, version, correlation id, and what follows the client's name."""
    (size,) = struct.unpack(">i", _exactly(connection, 4))
    message = _exactly(connection, size)
    key, version, correlation, name = struct.unpack_from(">hhih", message)
    return key, version, correlation, message[10 + name :]


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = connection.recv(size - len(found))
        if not more:
            raise ConnectionResetError
        found += more
    return found


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _plain_password() -> Generator[bytes | None, bytes, None]:
    said = yield None
    yield b"" if said == f"\0{USERNAME}\0{PASSWORD}".encode() else None


def _scram() -> Generator[bytes | None, bytes, None]:
    """The server's half of SCRAM-SHA-256 (RFC 5802)."""
    first = (yield None).decode().removeprefix("n,,")
    nonce = dict(part.split("=", 1) for part in first.split(","))["r"] + "server"
    salt, rounds = b"salt of the library", 4_096
    second = f"r={nonce},s={base64.b64encode(salt).decode()},i={rounds}"
    third = (yield second.encode()).decode()
    bare, proof = third.rsplit(",p=", 1)
    salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, rounds)
    all_said = ",".join([first, second, bare]).encode()
    client_key = _sign(salted, b"Client Key")
    signature = _sign(hashlib.sha256(client_key).digest(), all_said)
    expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    verified = base64.b64encode(_sign(_sign(salted, b"Server Key"), all_said))
    is_right = f"n={USERNAME}," in first and base64.b64decode(proof) == expected
    yield b"v=" + verified if is_right else None


def _sign(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """TLS for a server on 127.0.0.1, and the file of the one who vouches for it: itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a broker of the tests")])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    public, secret = folder / "broker.pem", folder / "broker.key"
    public.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, secret)
    return context, public
