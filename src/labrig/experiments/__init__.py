"""Experiments: branches deployed on lab hosts, each with its own services and URL."""
