"""What looks like a secret is never told: it reads as set, or by a fingerprint that only one run of labrig can make."""

from __future__ import annotations

import re

# Parts of a name; "_FILE" at its end names a file that holds the secret, and a path is none.
SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?([^a-z]|$)|secret|token|credential|api[-_]?key|private[-_]?key|access[-_]?key|masterauth"
    r"|[-_]pass|^pass|(^|[-_])(pw|pwd|key|auth|salt|dsn)$",
    re.IGNORECASE,
)
NOT_SECRET_NAME = re.compile(r"(file|path|dir|timeout|length|lifetime|encryption|_check|plugin|policy)$", re.IGNORECASE)

# Inside a text: a password after its name, or between the user and the host of an address.
SECRET_INSIDE = re.compile(
    r"(?P<name>[\w-]*(?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key)[\w-]*\s*[=:]\s*|--?pass(?:word)?[ =])"
    r"(?P<value>'[^']*'|\"[^\"]*\"|[^\s'\"&,;]+)"
    r"|(?P<address>\w+://[^\s/:@]*:)(?P<between>[^\s/@]+)(?=@)",
    re.IGNORECASE,
)


def looks_secret(name: str) -> bool:
    """Whether a setting or variable of this name holds a secret.

    >>> looks_secret("DB_PASSWORD"), looks_secret("POSTGRES_PASSWORD_FILE"), looks_secret("max_connections")
    (True, False, False)
    """
    return bool(SECRET_NAME.search(name)) and not NOT_SECRET_NAME.search(name)


def masked(value: str, fingerprint: str = "") -> str:
    """Return what stands for a secret: that it is set, or nothing where it is empty.

    >>> masked("secret"), masked("secret", "1f2e3d4c5b6a"), masked("")
    ('<set>', '<set 1f2e3d4c5b6a>', '')
    """
    if not value:
        return ""
    return f"<set {fingerprint}>" if fingerprint else "<set>"


def masked_inside(text: str) -> str:
    """Return a command or an address without the passwords in it.

    >>> masked_inside("run --password=x postgresql://app:y@db/app")
    'run --password=<set> postgresql://app:<set>@db/app'
    """
    return SECRET_INSIDE.sub(lambda found: (found["name"] or found["address"]) + "<set>", text)
