"""The server's token: one secret in a file that only its owner can read."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import CosimError

_TOKEN_BYTES = 32
_MODE = 0o600


class TokenError(CosimError):
    """The file of the token cannot be read or made."""


class Access:
    """Knows the token and compares others with it in constant time."""

    def __init__(self, token: str) -> None:
        self.token = token

    def admits(self, token: str | None) -> bool:
        """Tells whether a token is the right one."""
        offered = (token or "").encode("utf-8", errors="replace")
        return hmac.compare_digest(offered, self.token.encode())


def load_or_make(path: Path) -> Access:
    """Reads the token, or makes one at the first start.

    Raises:
        TokenError: If the file cannot be read or made, is empty, or others can read it.
    """
    try:
        if not path.exists():
            return make_new(path)
        if path.stat().st_mode & 0o077:
            raise TokenError(
                f"{path} can be read by others; make it private (chmod 600 {path}) or make a new "
                "token: cosim serve --new-token"
            )
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TokenError(f"cannot read the token {path}: {error}") from error
    if not token:
        raise TokenError(f"{path} is empty; make a new token: cosim serve --new-token")
    return Access(token)


def make_new(path: Path) -> Access:
    """Makes a new token; the old one is worth nothing from the next start on.

    Raises:
        TokenError: If the file cannot be written.
    """
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{token}\n")
        os.replace(partial, path)
    except OSError as error:
        raise TokenError(f"cannot write the token {path}: {error}") from error
    return Access(token)
