"""The page that qas-report fills in."""
