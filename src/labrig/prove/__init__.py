"""The proof: paths, snapshots, checks, verdict, report."""
