"""Keys of the ensemble: who may talk to whom beyond one host (ZeroMQ's CURVE and ZAP).

A key folder holds one pair per role, made by ``cosim keys new`` (with ``--deal``, a folder per role
with its own secret only)::

    orchestrator.key  orchestrator.key_secret
    nest.key          nest.key_secret
    tvb.key           tvb.key_secret
    translator.key    translator.key_secret

The ``.key`` files are public. A process needs all of them and its own secret, nothing else; the
public keys in its folder are the list of those it talks to. Secret files have mode 600.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import zmq.auth

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError, SecurityError

NAMES = ("orchestrator", "nest", "tvb", "translator")
"""Who has a pair of keys."""


@dataclass(frozen=True)
class Keys:
    """What a process knows of keys.

    Attributes:
        name: Whose secret it has.
        public: Its public key, 40 characters of Z85.
        secret: Its secret key; never printed.
        known: Public keys of everybody by name.
    """

    name: str
    public: bytes
    secret: bytes = field(repr=False)
    known: Mapping[str, bytes]


def new_keys(folder: Path) -> list[Path]:
    """Makes a key folder, readable by its owner alone.

    Returns:
        The files made.

    Raises:
        RunDirectoryError: If the folder holds keys already or cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if existing := sorted(folder.glob("*.key*")):
            raise RunDirectoryError(
                f"{folder} holds keys already, e.g. {existing[0].name}; running ensembles use "
                "them. Name another folder, or delete them first"
            )
        before = os.umask(0o077)
        try:
            for name in NAMES:
                zmq.auth.create_certificates(folder, name)
        finally:
            os.umask(before)
        for path in folder.glob("*.key_secret"):
            path.chmod(0o600)
    except OSError as error:
        raise RunDirectoryError(f"cannot make keys in {folder}: {error.strerror}") from error
    return sorted(folder.glob("*.key*"))


def deal_keys(folder: Path) -> bool:
    """Makes a key folder per name below a folder: its own secret and the public keys of all.

    That is what to hand to containers or machines, so that nobody has the secret of another. Keys
    that are there and belong together are kept; anything else is replaced.

    Returns:
        Whether keys were made.

    Raises:
        RunDirectoryError: If the folders cannot be written.
    """
    if _belong_together(folder):
        return False
    with tempfile.TemporaryDirectory(prefix="cosim-keys-") as temporary:
        made = Path(temporary) / "all"
        new_keys(made)
        try:
            for name in NAMES:
                own = folder / name
                own.mkdir(mode=0o700, parents=True, exist_ok=True)
                for old in own.glob("*.key_secret"):
                    old.unlink()
                for public in made.glob("*.key"):
                    shutil.copy(public, own)
            # Secrets last: as long as one is missing, the keys count as not yet dealt.
            for name in NAMES:
                shutil.copy(made / f"{name}.key_secret", folder / name)
        except OSError as error:
            raise RunDirectoryError(f"cannot deal keys in {folder}: {error}") from error
    return True


def _belong_together(folder: Path) -> bool:
    """Tells whether every name has a usable folder and all know the same public keys."""
    try:
        dealt = [load_keys(folder / name, name) for name in NAMES]
    except SecurityError:
        return False
    public = {keys.name: keys.public for keys in dealt}
    return all(keys.known == public for keys in dealt)


def load_keys(folder: Path, name: str) -> Keys:
    """Reads the secret of one name and the public keys of all.

    Raises:
        SecurityError: If a file is missing or damaged, or others may read the secret.
    """
    secret_file = folder / f"{name}.key_secret"
    try:
        mode = secret_file.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SecurityError(
                f"{secret_file} can be read by others (mode {stat.S_IMODE(mode):o}); "
                f"chmod 600 {secret_file}"
            )
        public, secret = zmq.auth.load_certificate(secret_file)
        known = {path.stem: zmq.auth.load_certificate(path)[0] for path in folder.glob("*.key")}
    except (OSError, ValueError) as error:
        raise SecurityError(
            f"no usable keys of '{name}' in {folder}: {error}; 'cosim keys new' makes a folder of "
            "keys, every machine needs the public ones and its own secret"
        ) from error
    if secret is None:
        raise SecurityError(f"{secret_file} holds no secret key")
    return Keys(name, public, secret, known)
