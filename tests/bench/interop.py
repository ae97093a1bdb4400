"""Puts the modules of the interoperability tests (their peers, their programs, their stamp) within reach."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
