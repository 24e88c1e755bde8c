"""Services in Python: what they are, the order in which they start and stop, and carrying it out."""
