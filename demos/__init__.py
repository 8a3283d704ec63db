"""Demonstrations: the episode store, the recorder and the devices it records from."""
