"""The socket a server listens on, opened before anything else so that a taken port is told in a sentence."""

import errno
import socket

from .failures import Failure

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises Failure when the address cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except socket.gaierror as error:
        raise Failure(f"{host} is no address: {error.strerror}.", "Check --host or TENANTRY_HOST.") from error
    except OSError as error:
        raise _refused(error, host, port) from error


def port_of(listening: socket.socket) -> int:
    """The port it got."""
    port: int = listening.getsockname()[1]
    return port


def _refused(error: OSError, host: str, port: int) -> Failure:
    match error.errno:
        case errno.EADDRINUSE:
            return Failure(
                f"Port {port} on {host} is taken.",
                f"Stop what listens there, or choose another: --port {port + 1 if port < 65535 else 8000}, or --port 0 "
                "for a free one.",
            )
        case errno.EACCES:
            return Failure(f"Port {port} may not be used by this account.", "Choose one above 1023 with --port.")
        case errno.EADDRNOTAVAIL:
            return Failure(f"{host} is no address of this machine.", "Check --host or TENANTRY_HOST.")
    return Failure(f"Cannot listen on {host}, port {port}: {error.strerror}.", "Check --host and --port.")
