"""What training leaves on the disk: checkpoints, states, progress and metrics."""
