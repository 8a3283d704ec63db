"""Trainings of many processes, on Ray."""
