"""What a study will take: time, disk and memory, on this machine or on a cluster."""
