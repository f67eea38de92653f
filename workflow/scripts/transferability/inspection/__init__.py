"""Of a study under way, where it stands; of a finished one, whether everything is right."""
