"""The keys whose values name a machine, a person or a place, and values that say nothing even there. Pure."""

import re
from functools import lru_cache
from typing import Final

from agent.hil.redaction.kinds import Kind
from agent.hil.redaction.pieces import Path

WORDS_OF_NAME: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[\x80-\U0001ffff]+")
# Keys without case, blanks, underscores, hyphens and numbers. From the captures under tests/ and other public
# captures (`Board Serial Numbers`, `crtl_sn`, `pcbsn0`, `MACAddr`, `stratumUser`, `Current User`, `salt`).
_KEYS: Final = {
    Kind.SERIAL: """sn serial serials serialno serialnumber serialnumbers serinum boardserialnumber boardserialnumbers
        hbserialnumber hbserialno cbserialno chassisserialno cpuserial boardsn minersn ctrlsn crtlsn ctrlboardsn
        controlboardsn psusn psuserial psuserialno psuserialnumber pcbsn pcbserial chipsn hbsn hashboardsn boardserial
        minerserial deviceserial machinesn barcode""",
    Kind.MAC: "mac macaddr macaddress ethaddr hwaddr hwaddress ethmac wifimac wlanmac macaddresses minermac bssid",
    Kind.IDENTIFIER: """minerid hwid hardwareid deviceid dna uid uuid guid machineid chipid cpuid clientid minerhwid
        uniqueid siteid""",
    Kind.USER: """user username stratumuser fallbackstratumuser currentuser pooluser workeruser worker workername
        workerid account accountname accountid subaccount subaccountname subuser login loginname userid usr btcuser
        owner ownername contact alias nickname customer customername""",
    Kind.PASSWORD: """pass passwd password pwd poolpass poolpassword stratumpassword fallbackstratumpassword psk
        wifipass wifipassword wpapsk token apikey apitoken accesstoken secret cookie setcookie session sessionid salt
        nonce cnonce authorization privatekey sessid phpsessid""",
    Kind.WIFI: "ssid wifissid wlanssid essid apssid wifiname",
    Kind.HOST: "hostname confhostname devicename dhcphostname fqdn domainname netbiosname computername",
    Kind.EMAIL: "email mail emailaddress",
    Kind.WALLET: "wallet walletaddress payoutaddress btcaddress lightningaddress btcaddr",
}
_KIND_OF_KEY: Final = {key: kind for kind, keys in _KEYS.items() for key in keys.split()}
# Names of fields that tell are never replaced themselves.
KEY_NAMES: Final = frozenset(_KIND_OF_KEY)
# Words that mark a key by themselves, wherever they stand in it.
_KIND_OF_WORD: Final = {
    "sn": Kind.SERIAL,
    "serial": Kind.SERIAL,
    "serials": Kind.SERIAL,
    "serinum": Kind.SERIAL,
    "macaddr": Kind.MAC,
    "hostname": Kind.HOST,
    "ssid": Kind.WIFI,
    "password": Kind.PASSWORD,
    "passwd": Kind.PASSWORD,
    "username": Kind.USER,
}
# Last words of the numbered fields of pages: `_ant_pool1user`, `pool2pw`.
_OF_POOLS: Final = {"user": Kind.USER, "worker": Kind.USER, "pw": Kind.PASSWORD, "pass": Kind.PASSWORD}
# Factory settings and placeholders. They are judged like any other text, and are no secret.
_SAYING_NOTHING: Final = re.compile(
    r"(?:[^0-9A-Za-z\x80-\U0001ffff]*|0[0x:.-]*|n/?a|none|null|nil|unknown|undefined|default|true|false|yes|no|on|off|auto"
    r"|antminer(?:[._-]?\d{0,3})?|whatsminer|bitaxe|avalon|localhost|root|devfee|dev fee|no miner id now|x)",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def kind_of_key(key: str) -> Kind | None:
    """Return what the value of a key is; None if the key marks none."""
    words = [word.lower() for word in WORDS_OF_NAME.findall(key)]
    if kind := _KIND_OF_KEY.get("".join(words)):
        return kind
    letters = [word for word in words if not word.isdecimal()]
    if kind := _KIND_OF_KEY.get("".join(letters)):
        return kind
    if "pool" in letters and letters[-1] in _OF_POOLS:
        return _OF_POOLS[letters[-1]]
    return next((_KIND_OF_WORD[word] for word in letters if word in _KIND_OF_WORD), None)


def kind_at(path: Path) -> Kind | None:
    """Return what the value at a path is, by the nearest key; None if that marks none."""
    return next((kind_of_key(key) for key in reversed(path) if isinstance(key, str)), None)


def says_nothing(text: str) -> bool:
    """Return True for factory settings and placeholders, which are no secret: ``antminer_1``, ``N/A``, ``*``."""
    return _SAYING_NOTHING.fullmatch(text.strip()) is not None
