"""Event files on disk: whole records appended, and read back."""
