"""The manipulation tasks, a small file each."""
