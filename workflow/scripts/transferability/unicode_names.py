"""Names that look the same are the same: é is one character on Linux, but e plus an accent on a Mac's disk."""

import unicodedata


def nfc(name: str) -> str:
    """The composed form, in which names are compared and shown."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
