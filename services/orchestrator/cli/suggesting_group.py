"""Options that take one of several words: a misspelt one gets a suggestion."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperGroup

from tvb_nest_cosim.cosim_core.plugins import near_names


class SuggestingGroup(TyperGroup):
    """The command line; typer itself suggests only commands and names of options."""

    def invoke(self, ctx: Any) -> Any:
        """Runs a command.

        Raises:
            typer.BadParameter: As typer raises it, with a suggestion.
        """
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            refused = re.search(r"'(.*)' is not one of ('.*)", error.message)
            if refused:
                near = near_names(refused[1], re.findall(r"'([^']*)'", refused[2]))
                error.message += f" Did you mean {' or '.join(near)}?" if near else ""
            raise
