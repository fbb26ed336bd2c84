"""The truth: exact derivatives as certified balls, and errors measured against them."""
