"""What several attacks compute with; none of these is an attack."""
