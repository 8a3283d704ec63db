"""Environments that are not trailkit's own: Gymnasium's, dm_control's, Meta-World's, and those of users."""
