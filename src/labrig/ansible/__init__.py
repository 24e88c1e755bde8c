"""Running Ansible: Molecule scenarios as people have them, playbooks, and what happened in them."""
