"""Running an attack: which models speak about which example, piece by piece."""
