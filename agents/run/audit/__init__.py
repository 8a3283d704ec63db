"""`trailkit demos audit`: whether demonstrations let a discriminator cheat."""
