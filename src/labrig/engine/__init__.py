"""Docker: client, images, machines, networks, and whose they are."""
