"""What models answer: queries, probes, and their answers read in slices."""
