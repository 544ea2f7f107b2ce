"""Labelled data sets, one module a source."""
