"""What every job has: its log, signals, devices, determinism and where results come from."""
