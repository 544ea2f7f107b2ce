"""The page that answers: how much models give away, for who decides and for who checks."""
