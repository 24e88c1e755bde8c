"""What a machine is, and what differs between two: probe, dimensions, rules, comparison, explanation.

Everything but the probe is pure: values in, values out. The probe runs on the machine itself, started by
whoever holds a connection to it (see ``capture``).
"""
