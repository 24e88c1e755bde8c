"""A session in a machine: one process of the engine's that starts all others, for as long as a playbook runs.

``agent`` runs in the machine, ``broker`` in labrig, and Ansible's side is the connection plugin
``labrig.core.session``. All three speak in frames: a kind (one byte), a channel and a length (four bytes each, network
order), then as many bytes as the length says. A channel is one command. ``OPEN`` begins it as JSON, ``EXIT``
ends it with an exit code as digits, to which the agent adds the seconds that the command took, ``FAILED`` with a reason
why it could not be run. ``READY`` is the agent's first word.
"""
