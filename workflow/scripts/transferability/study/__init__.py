"""What is asked for: names, settings, the config and its checks, and where every file lies. No torch, no pandas."""
