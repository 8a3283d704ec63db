"""`trailkit evaluate` and `render`: what saved policies do, as success rates and as videos."""
