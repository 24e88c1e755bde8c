"""Keeping secrets out of whatever is shown: what looks like one is replaced, and still seen to differ.

>>> mask = Mask()
>>> mask.text("password = hunter2"), mask.text("password = hunter3")
('password = <secret 1>', 'password = <secret 2>')

What is taken for a secret: private keys, passwords in URLs, hashes of passwords, tokens of a known form, and the
values of settings whose names say so (``db_password``, ``api_key``, ``client_secret``). Paths, references to variables
and words such as ``no`` are none, so that ``ssl_certificate_key /etc/x.key`` stays readable.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

# A secret shorter than this is not looked for elsewhere in the text: "no" may be a password as well.
FOUND_AGAIN = 6

_ALWAYS = frozenset(
    (
        "password", "passwd", "passwort", "passphrase", "passcode", "pass", "pwd", "passw", "secret", "token",
        "apikey", "credential", "credentials", "psk", "requirepass", "masterauth", "userpassword", "rootpassword",
        "dbpassword", "authtoken", "accesstoken", "secretkey", "privatekey", "accesskey", "passwords", "passwds",
        "secrets", "tokens", "apikeys", "keystring",
    )
)  # fmt: skip
_ENDS = ("password", "passwd", "passphrase", "secret", "apikey")
_KEYS = frozenset(("key", "keys", "auth", "salt", "hash", "seed", "hmac", "cookie", "pin", "bearer", "code", "dsn"))
# What makes a key a secret by its name alone.
_QUALIFIERS = frozenset(
    (
        "api", "access", "secret", "private", "auth", "encryption", "encrypt", "signing", "sign", "master",
        "shared", "session", "account", "storage", "license", "app", "application", "aes", "des", "hmac", "deploy",
        "service", "client", "consumer", "webhook", "write", "admin", "server", "sync", "stream", "join", "wpa",
    )
)  # fmt: skip
# What may follow the telling word: password_hash, secret_key_base.
_TAILS = frozenset(("hash", "base", "value", "string", "data", "plain", "plaintext", "text", "old", "new", "default"))
_PLAIN = frozenset(
    (
        "yes", "no", "true", "false", "on", "off", "none", "null", "nil", "undefined", "required", "optional",
        "sufficient", "requisite", "prompt", "ask",
    )
)  # fmt: skip

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_REFERENCE = re.compile(
    r"\{\{.*\}\}|\{%.*%\}|\$\{?[A-Za-z_]\w*\}?|\$\(.*\)|%\(?\w+\)?s?|<[\w -]+>|\*+|!vault.*|x|!+|[|>][+-]?\d?"
    # nsswitch.conf: where passwords are looked up.
    r"|(?:(?:files|systemd|compat|ldap|sss|db|nis|winbind|\[[^\]]*\])(?:\s+|$))+"
)
_PATH = re.compile(r"(?:file:)?(?:~|\.{1,2})?/[\w.+@ /-]*")
_NUMBER = re.compile(r"\d{1,5}")

_PRIVATE_KEY = re.compile(
    r"(-----BEGIN (?P<kind>[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?)-----)(.*?)(-----END (?P=kind)-----|\Z)", re.DOTALL
)
_PUTTY_KEY = re.compile(r"(^Private-Lines: \d+\r?\n)((?:[A-Za-z0-9+/=]+\r?\n?)+)", re.MULTILINE)
_URL = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@'\"]*:)([^\s/'\"]+)(?=@)")

# Secrets by their own form, the secret in group 1.
_FORMS = tuple(
    re.compile(form, re.MULTILINE)
    for form in (
        r"(\$(?:[1-9PHSy]|2[abxy]|gy|md5|sha1|apr1|argon2(?:id|i|d)|pbkdf2[\w-]*|b?scrypt[\w-]*)\$[^\s:'\",;<>]{8,})",
        r"(\{(?:SSHA|SHA|SMD5|MD5|CRYPT|PBKDF2|SSHA256|SSHA512|SHA256|SHA512|ARGON2)[\w.-]*\}[A-Za-z0-9+/=.$]{8,})",
        r"(SCRAM-SHA-\d+\$\d+:[^\s'\"]+)",
        r"(?<![\w*])(\*[0-9A-F]{40})(?!\w)",
        r"\b(md5[0-9a-f]{32})\b",
        r"^[a-z_][\w.-]*:([./0-9A-Za-z]{13})(?=:\d*:|$)",
        r"\b((?:AKIA|ASIA|AGPA|AIDA|AROA)[0-9A-Z]{16})\b",
        r"\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeoprs]-[\w-]{10,})",
        r"\b([sr]k_(?:live|test)_\w{10,}|sk-[\w-]{20,}|npm_[A-Za-z0-9]{30,}|dckr_pat_[\w-]{20,}|hv[sb]\.[\w-]{20,})",
        r"\b(AIza[\w-]{35}|AGE-SECRET-KEY-1[0-9A-Z]+|pypi-[\w-]{30,}|SG\.[\w-]{16,}\.[\w-]{16,})",
        r"\b(eyJ[\w-]{8,}\.eyJ[\w-]{4,}\.[\w-]*)",
        r"hooks\.slack\.com/services/([\w/]+)",
        r"(?i:\b(?:basic|bearer|digest|apikey|token)) +([A-Za-z0-9+/_.~-]{16,}=*)",
        r"(?i:\bidentified\s+(?:with\s+\S+\s+)?by\s+(?:password\s+)?)['\"]([^'\"]+)['\"]",
        r"(?i:\b(?:password|passphrase|secret)[ \t]+)['\"]([^'\"\n]+)['\"]",
        # .netrc; haproxy's userlists; Redis' access lists; .pgpass.
        r"^[ \t]*(?:machine\s+\S+|default)\b.*?\bpassword\s+(\S+)",
        r"(?<=\sinsecure-password )(\S+)",
        r"^[ \t]*(?:stats\s+auth|auth_basic_user)\s+[^\s:]+:(\S+)",
        r"^[ \t]*user[ \t]+\S+\s.*?(?<=\s)[>#](?!\S*<secret)(\S{3,})",
        r"^[\w.*-]+:(?:\d+|\*):[\w*-]+:[\w*.-]+:([^\s:]+)$",
        r"(?<=\s)-(?:-user|u)[ =]['\"]?[\w.@-]+:([^\s'\"]+)",
    )
)

# Of bounded length: a line may be one long word.
_TELLING = "pass|pwd|secret|token|key|cred|auth|psk|hash|salt|seed|hmac|cookie|pin|bearer|code|dsn"
_NAME = rf"[\w.-]{{0,60}}(?:{_TELLING})[\w.-]{{0,40}}"
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
# A setting on a line of its own: its value goes to the end of the line.
_LINE = re.compile(
    rf"^(?P<before>[ \t#;/*-]*(?:(?:export|set|setenv|local|readonly|ENV|ARG)[ \t]+)?"
    rf"(?P<quote>[\"']?)(?P<name>{_NAME})(?P=quote)[ \t]*(?::=|=>|[:=])[ \t]*)"
    rf"(?P<value>{_QUOTED}|[^\s\"'|>{{\[][^\n]*?)(?P<after>[ \t]*[;,]?[ \t]*\r?)$",
    re.IGNORECASE | re.MULTILINE,
)
# A setting among other text, a part of a connection string, an option of a command: its value is one word.
_WITHIN = re.compile(
    rf"(?P<before>(?P<quote>\\?[\"']?)(?<![\w.-])(?P<name>-{{0,2}}{_NAME})(?P=quote)[ \t]*(?::=|=>|[:=])[ \t]*)"
    rf"(?P<value>\\\"[^\"\\]*(?=\\\")|{_QUOTED}|\$\{{\w+\}}|[^\s\"',;&<>{{}}\[\]()]+)",
    re.IGNORECASE,
)
# An option of a command with its value as the next word; PHP's define().
_OPTION = re.compile(
    rf"(?P<before>(?<![\w-])--(?P<name>{_NAME})[ \t]+)(?P<value>{_QUOTED}|[^\s\"'-]\S*)", re.IGNORECASE
)
_DEFINE = re.compile(rf"(?P<before>\bdefine\(\s*[\"'](?P<name>{_NAME})[\"']\s*,\s*)(?P<value>{_QUOTED})", re.IGNORECASE)
_TAG = re.compile(rf"(?P<before><(?P<name>{_NAME})(?:\s[^<>]*)?>)(?P<value>[^<>]+)(?=</(?P=name)>)", re.IGNORECASE)
# A directive and its only word, as redis.conf has them.
_DIRECTIVE = re.compile(
    rf"^(?P<before>[ \t#]*(?P<name>{_NAME})[ \t]+)(?P<value>{_QUOTED}|\S+?)(?P<after>[ \t]*;?[ \t]*\r?)$",
    re.IGNORECASE | re.MULTILINE,
)
# A name whose value stands on the deeper lines that follow: a list, or a block of text.
_BLOCK = re.compile(
    rf"^(?P<before>(?P<indent>[ \t]*)(?:- )?[\"']?(?P<name>{_NAME})[\"']?:[ \t]*(?P<block>[|>][+-]?\d?)?[ \t]*\n)"
    r"(?P<value>(?:(?P=indent)[ \t]+\S[^\n]*(?:\n|\Z)|(?P=indent)-[ \t][^\n]*(?:\n|\Z))+)",
    re.IGNORECASE | re.MULTILINE,
)
_ITEM = re.compile(r"^([ \t]*-[ \t]+)([^\n]+?)([ \t]*)$", re.MULTILINE)
_KEYED = re.compile(r"[\w\"'.-]+:(?:\s|$)")
# A list on one line.
_FLOW = re.compile(
    rf"(?P<before>(?P<quote>[\"']?)(?<![\w.-])(?P<name>{_NAME})(?P=quote)\s*[:=]\s*\[)(?P<value>[^\[\]{{}}]+)(?=\])",
    re.IGNORECASE,
)
_ENTRY = re.compile(rf"(\s*)({_QUOTED}|[^,\s][^,]*?)(\s*(?:,|$))")

_SHOWN = re.compile(r"<secret \d+>")


class Mask:
    """Replaces secrets; the same secret reads the same for as long as the mask lives, another one differs."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def text(self, text: str) -> str:
        """Return the text with each secret in it as ``<secret N>``."""
        return self.texts(text)[0]

    def texts(self, *texts: str) -> list[str]:
        """Return several texts so: what one of them shows to be a secret is hidden in all."""
        return [self._again(text) for text in [self._once(text) for text in texts]]

    def _once(self, text: str) -> str:
        if not text:
            return text
        text = _PRIVATE_KEY.sub(lambda found: self._framed(found[1], found[3], found[4]), text)
        text = _PUTTY_KEY.sub(lambda found: f"{found[1]}{self.secret(found[2])}\n", text)
        text = _URL.sub(lambda found: found[1] + self.secret(found[2]), text)
        for form in _FORMS:
            text = form.sub(self._grouped, text)
        for setting in (_BLOCK, _FLOW, _TAG, _DEFINE, _OPTION, _LINE, _WITHIN, _DIRECTIVE):
            text = setting.sub(self._named, text)
        return text

    def value(self, value: Any, name: str = "") -> Any:
        """Return a value of any shape with the secrets in it replaced; ``name`` is what it is called."""
        if isinstance(value, str):
            return self.secret(value) if name and _is_secret(name, value) else self.text(value)
        if isinstance(value, dict):
            return {key: self.value(held, str(key)) for key, held in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(held, name) for held in value]
        return value

    def at(self, names: Iterable[str], value: str) -> str:
        """Return a setting's value, replaced if one of the names that lead to it says that it is a secret."""
        if any(_is_secret(name, value) for name in names):
            return self.secret(value)
        return self.text(value)

    def secret(self, secret: str) -> str:
        """Return what stands for a secret."""
        if _SHOWN.fullmatch(secret):
            return secret
        return f"<secret {self._numbers.setdefault(secret, len(self._numbers) + 1)}>"

    def _framed(self, begin: str, secret: str, end: str) -> str:
        newline = "\n" if "\n" in secret else "\\n" if "\\n" in secret else ""
        # The same key reads the same, whether its lines are written as lines or as in JSON.
        return f"{begin}{newline}{self.secret(secret.replace(chr(92) + 'n', '').translate(_NO_SPACE))}{newline}{end}"

    def _grouped(self, found: re.Match[str]) -> str:
        whole = found[0]
        if _SHOWN.search(whole) or _is_harmless(found[1]):
            return whole
        start, end = found.start(1) - found.start(), found.end(1) - found.start()
        return whole[:start] + self.secret(found[1]) + whole[end:]

    def _named(self, found: re.Match[str]) -> str:
        name, value = found["name"].lstrip("-"), found["value"]
        if found.re is _BLOCK:
            return found["before"] + self._block(found, name, value)
        if found.re is _FLOW:
            return found["before"] + _ENTRY.sub(
                lambda one: one[1] + self._maybe(name, one[2]) + one[3] if one[2] else one[0], value
            )
        if found.re is _DIRECTIVE and not _is_directive(name, value):
            return found[0]
        after = found["after"] if "after" in found.re.groupindex else ""
        return found["before"] + self._maybe(name, value) + after

    def _block(self, found: re.Match[str], name: str, value: str) -> str:
        if not _names_secret(name):
            return value
        if found["block"]:
            if _SHOWN.search(value):
                return value
            indent = value[: len(value) - len(value.lstrip())]
            return f"{indent}{self.secret(value.strip())}\n"
        return _ITEM.sub(
            lambda one: (
                one[0] if re.match(r"[\w\"'.-]+:(?:\s|$)", one[2]) else one[1] + self._maybe(name, one[2]) + one[3]
            ),
            value,
        )

    def _maybe(self, name: str, value: str) -> str:
        begin, inner, end = _unquoted(value)
        return f"{begin}{self.secret(inner)}{end}" if _is_secret(name, inner) else value

    def _again(self, text: str) -> str:
        """Replace known secrets where nothing names them: what was found once is not shown elsewhere."""
        for secret in sorted(self._numbers, key=len, reverse=True):
            if len(secret) >= FOUND_AGAIN and secret in text and not secret.isalpha():
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", self.secret(secret), text)
        return text


def masked(text: str) -> str:
    """Return a text with what looks like a secret replaced, for a text that stands alone."""
    return Mask().text(text)


_NO_SPACE = {ord(char): None for char in " \t\r\n"}


def _unquoted(value: str) -> tuple[str, str, str]:
    if value.startswith('\\"'):
        return '\\"', value[2:], ""
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[0], value[1:-1], value[0]
    return "", value, ""


def _is_secret(name: str, value: str) -> bool:
    """Whether a value with this name is one to hide."""
    if _is_harmless(value):
        return False
    words = [word.lower() for word in _WORDS.findall(name)]
    if _names_secret(name):
        return not (_NUMBER.fullmatch(value) and words[-1] in ("token", "tokens", "key", "keys", "secrets"))
    return bool(words) and words[-1] in _KEYS and _is_random(value)


def _names_secret(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name) if not word.isdigit()]
    while len(words) > 1 and words[-1] in _TAILS:
        words.pop()
    if not words:
        return False
    if words[-1] in _ALWAYS or words[-1].endswith(_ENDS) or "".join(words[-2:]) in _ALWAYS:
        return True
    return words[-1] in ("key", "keys") and bool(_QUALIFIERS & set(words[:-1])) and "public" not in words


def _is_directive(name: str, value: str) -> bool:
    # "password required" is a sentence's beginning; "requirepass hunter2" is none.
    return name == name.strip(".-") and _names_secret(name) and not value.endswith((".", ",", ":"))


def _is_harmless(value: str) -> bool:
    """Whether a value is no secret whatever its name: empty, a path, a reference, a word such as ``no``."""
    value = _unquoted(value.strip())[1].strip()
    return (
        not value
        or value.lower() in _PLAIN
        or _REFERENCE.fullmatch(value) is not None
        or (_PATH.fullmatch(value) is not None and not _is_random(value.rsplit("/", 1)[-1]))
        or "<secret" in value
    )


def _is_random(value: str) -> bool:
    """Whether a value looks like one that a machine has rolled."""
    if len(value) < 16 or re.search(r"\s", value) or not re.search(r"\d", value) or not re.search(r"[A-Za-z]", value):
        return False
    counts = Counter(value)
    entropy = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    return entropy >= 3.0
