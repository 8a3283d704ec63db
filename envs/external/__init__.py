"""Environments that are not trailkit's own: those of Gymnasium, dm_control and Meta-World, and users' own."""
