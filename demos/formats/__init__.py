"""Exchange formats: demonstrations of other frameworks, read and written."""
