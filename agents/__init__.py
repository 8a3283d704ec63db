"""Agents: networks, losses, learners, policies and stop rules; `run` builds programs from them."""
