"""What runs on the machine: reads its state and writes it as JSON lines to standard output.

The modules here need Python 3.8 and its standard library, nothing else. ``labrig.state.capture`` joins them
into one source text, in the order of ``labrig.state.capture.PARTS``, that a machine's ``python3 -`` runs.
"""
