"""Recording by a person: the control clock, the session, and the devices that a person holds."""
