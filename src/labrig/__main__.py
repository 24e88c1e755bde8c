"""``python -m labrig``."""

from labrig.cli import main

main()
