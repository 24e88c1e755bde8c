"""Where the tests find the machines, defects and services that benchmarks/detection.py uses as well."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
