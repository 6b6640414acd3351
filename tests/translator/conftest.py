"""Makes the helpers beside the tests importable; as ``translator.x`` the service would be meant."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
