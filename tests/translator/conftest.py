"""Makes the helpers beside the tests importable: as ``translator.x`` they would be the service's."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
