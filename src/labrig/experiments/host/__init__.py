"""The programs of a lab host: standard library alone, so that nothing of labrig has to be installed there."""
