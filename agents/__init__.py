"""Agents: networks, losses, learners, policies and stop rules; `run` makes programs of them."""
