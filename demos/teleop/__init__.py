"""Recording by a person: the control clock, the session, and the input devices."""
