"""What figures and tables are made from, and what they are compared with."""
