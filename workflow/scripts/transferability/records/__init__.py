"""What training leaves on disk: checkpoints, states, progress and metrics."""
