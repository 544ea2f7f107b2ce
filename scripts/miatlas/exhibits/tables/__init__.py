"""Tables, one module a kind."""
