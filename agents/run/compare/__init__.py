"""`trailkit compare`: the results of runs, as a table, plots and a page."""
