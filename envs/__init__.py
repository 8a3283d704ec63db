"""Environments: tasks, cameras and the headless renderer, adapters from and to Gymnasium."""
