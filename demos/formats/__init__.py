"""Exchange formats: reading and writing demonstrations of other frameworks."""
