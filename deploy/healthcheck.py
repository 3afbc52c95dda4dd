"""The image's health check: exit status 0 if the agent on this machine is healthy, or asks for a login.

An agent that asks for a login is alive. Its certificate is not checked, because it is not for this machine's loopback
address; nothing is sent that would be secret.
"""

import http.client
import ssl
import sys

PATH = "/-/healthy"
WITHIN_S = 4
ALIVE = frozenset({200, 401})


def status(host: str, port: int, *, tls: bool) -> int | None:
    """Return the status of an answer; None if there is none."""
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=WITHIN_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=WITHIN_S)
    try:
        connection.request("GET", PATH)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def main(address: str) -> int:
    """Ask without TLS, then with it; return the exit status."""
    host, _, port = address.rpartition(":")
    said = status(host, int(port), tls=False) or status(host, int(port), tls=True)
    return 0 if said in ALIVE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9184"))
