"""What every job needs: its log, signals, devices, determinism and the provenance of results."""
