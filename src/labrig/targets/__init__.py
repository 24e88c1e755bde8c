"""Where a state comes from: a container, an image, a host over SSH, this machine, or a file; named in one word."""
