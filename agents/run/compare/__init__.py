"""`trailkit compare`: what runs came to, as a table, plots and a page."""
