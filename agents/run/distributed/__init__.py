"""Training with many processes, on Ray."""
