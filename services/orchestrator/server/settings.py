"""Settings of a server; nothing else is read from the environment."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tvb_nest_cosim.cosim_core.plugins import plugin_folders

HOME_VARIABLE = "COSIM_HOME"
"""Environment variable: folder of runs, database and token."""

EXAMPLES_VARIABLE = "COSIM_EXAMPLES"
"""Environment variable: folder of the experiments that the server offers."""

_SHIPPED_EXAMPLES = Path(__file__).parents[2] / "examples"


class Settings(BaseModel):
    """Settings of one server."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    home: Path
    """Folder of runs, database and token."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8642, ge=0, le=65535)
    """Port to listen on; 0 lets the system choose."""
    database: str | None = None
    """URL of the database; none: SQLite in ``home``."""
    database_wait_s: float = Field(default=5.0, gt=0)
    """How long a call waits for a database that another process holds."""
    agents: str | None = None
    """Endpoint at which agents are awaited; none: simulators are processes of this machine."""
    keys: Path | None = None
    """Folder of keys for agents beyond this machine."""
    examples: Path | None = None
    """Folder of shipped experiments and the files that they name."""
    plugin_path: tuple[Path, ...] = ()
    """Folders of modules that experiments may name."""
    nest_ranks: int = Field(default=1, ge=1)
    """MPI ranks of NEST for experiments that leave its resources open."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names by which the server may be called."""
    max_body_bytes: int = Field(default=1024 * 1024, ge=1)
    """Largest request."""
    max_connections: int = Field(default=500, ge=1)
    """Most connections at a time; event streams are among them."""
    request_s: float = Field(default=20.0, gt=0)
    """How long a request may take to arrive."""
    max_queued: int = Field(default=500, ge=1)
    """Most runs that may wait."""
    grace_s: float = Field(default=20.0, gt=0)
    """How long a run may take to end in good order when the server ends."""

    @property
    def runs(self) -> Path:
        """Folder of run directories."""
        return self.home / "runs"

    @property
    def token_file(self) -> Path:
        """File of the token."""
        return self.home / "token"

    @property
    def database_url(self) -> str:
        """URL of the database in use."""
        return self.database or f"sqlite:///{self.home.absolute() / 'cosim.db'}"

    @property
    def known_hosts(self) -> frozenset[str] | None:
        """Names that a request may call this server by; None: any.

        A server on a loopback address is called by loopback names only. Anything else is a page
        whose name was made to point here (DNS rebinding).
        """
        if not is_loopback(self.host) and not self.allowed_hosts:
            return None
        return frozenset({"localhost", "127.0.0.1", "::1", self.host, *self.allowed_hosts})

    def base_dir(self, uses_earlier_run: bool) -> Path:
        """Returns the folder in which an experiment's relative names are looked up."""
        return self.runs if uses_earlier_run or self.examples is None else self.examples


def is_loopback(host: str) -> bool:
    """Tells whether an address can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def examples_folder() -> Path | None:
    """Returns the folder of shipped experiments: ``COSIM_EXAMPLES`` or the package's."""
    named = os.environ.get(EXAMPLES_VARIABLE)
    folder = Path(named) if named else _SHIPPED_EXAMPLES
    return folder.absolute() if folder.is_dir() else None


def from_environment(home: Path, **chosen: object) -> Settings:
    """Makes settings from what was chosen, and the environment for the rest."""
    return Settings.model_validate(
        {
            "home": home.absolute(),
            "examples": examples_folder(),
            "plugin_path": tuple(plugin_folders()),
            **chosen,
        }
    )
