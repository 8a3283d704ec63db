"""`trailkit watch`: how a training stands, in the terminal."""
