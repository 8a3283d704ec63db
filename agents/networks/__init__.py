"""The shared encoder stack and the heads on it."""
