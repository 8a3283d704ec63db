"""`trailkit watch`: the state of a training, in the terminal."""
