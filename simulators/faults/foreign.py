"""Faults in which something else answers on TCP 4028: another protocol, or another make.

The unit of the ledger hashes on somewhere else, unseen. Each docstring says what an agent must conclude.
"""

from dataclasses import dataclass, replace
from http import HTTPStatus

from simulators.faults.wire import ReplyFault
from simulators.unit.conditions import require
from simulators.unit.delivery import Delivery, Ending

# A fatal alert, unexpected_message, in a record of TLS 1.2. Its fourth byte is a NUL.
_TLS_ALERT = bytes((0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x0A))
_STRATUM_ERROR = b'{"id":null,"result":null,"error":[20,"Other/Unknown",null]}\n'
_WHATSMINER = "whatsminer v1.4.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeaksHttp(ReplyFault):
    """A web server answers. Documented (D161): ePIC firmware serves HTTP on this port.

    An agent must call the unit unreadable and say that something speaks HTTP there; not that the connection broke.

    Attributes:
        status: Status of the answer.
        body: Its body.
    """

    status: int = 400
    body: str = ""

    def __post_init__(self) -> None:
        require(self.status in set(HTTPStatus), "status", self.status, "a status of HTTP")

    def spoil(self, delivery: Delivery) -> Delivery:
        """Answer as a web server does, and close."""
        body = self.body.encode()
        head = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\nContent-Length: {len(body)}\r\n\r\n"
        return delivery.with_reply(head.encode("ascii") + body)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeaksTls(ReplyFault):
    """A TLS server answers the plain request with an alert. Documented (D161).

    An agent must call the unit unreadable and say that something speaks TLS there.
    """

    def spoil(self, delivery: Delivery) -> Delivery:
        """Answer with the alert, and close."""
        return delivery.with_reply(_TLS_ALERT)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeaksSsh(ReplyFault):
    """An SSH server answers with its banner. Documented (D161).

    An agent must call the unit unreadable and say that something speaks SSH there.

    Attributes:
        banner: Its name and version.
    """

    banner: str = "SSH-2.0-dropbear_2019.78"

    def __post_init__(self) -> None:
        require(self.banner.startswith("SSH-") and self.banner.isascii(), "banner", self.banner, "ASCII, SSH-...")

    def spoil(self, delivery: Delivery) -> Delivery:
        """Answer with the banner, and close."""
        return delivery.with_reply(self.banner.encode("ascii") + b"\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeaksStratum(ReplyFault):
    """A Stratum server, a pool's or a proxy's, answers. Documented (D161).

    An agent must call the unit unreadable and say that something speaks Stratum there; its error is no refusal of a
    unit.

    Attributes:
        is_patient: The connection stays open after the answer, as with a client that is to go on.
    """

    is_patient: bool = False

    def spoil(self, delivery: Delivery) -> Delivery:
        """Answer that the method is unknown."""
        ending = Ending.HANG if self.is_patient else Ending.CLOSE
        return replace(delivery.with_reply(_STRATUM_ERROR), ending=ending)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeaksWhatsminer(ReplyFault):
    """A Whatsminer answers: its `summary` is much like an Antminer's, its refusals are not. Documented (D162).

    An agent must call the unit unreadable and name the make, whatever rate that machine reports.
    """

    def spoil(self, delivery: Delivery) -> Delivery:
        """Answer `summary` for a machine of 70 TH/s, and refuse everything else."""
        if delivery.command == "summary":
            text = (
                '{"STATUS":[{"STATUS":"S","When":0,"Code":11,"Msg":"Summary","Description":"cgminer 4.9.2"}],'
                '"SUMMARY":[{"Elapsed":10154,"MHS av":67753251.19,"MHS 5s":70668114.52,"MHS 1m":67439352.49,'
                '"MHS 5m":67394800.97,"MHS 15m":67681620.18,"HS RT":67394800.97,"Accepted":2338,"Rejected":0,'
                '"Factory GHS":68796,"Power":3417,"Power Mode":"Normal","Target Freq":625,"Temperature":71.5}]}'
            )
        else:
            text = f'{{"STATUS":"E","When":0,"Code":14,"Msg":"invalid cmd","Description":"{_WHATSMINER}"}}'
        return delivery.with_reply(text.encode("ascii"))
