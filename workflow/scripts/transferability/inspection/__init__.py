"""How far a study under way has come, and whether everything in a finished one is right."""
