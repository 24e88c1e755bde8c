"""Other hosts, over SSH."""
