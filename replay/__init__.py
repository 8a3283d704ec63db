"""Replay: episodes in, n-step transitions out, on Reverb or in this process."""
