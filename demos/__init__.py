"""Demonstrations: the episode store, the recorder, and the devices to record with."""
