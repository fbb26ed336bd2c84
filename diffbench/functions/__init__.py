"""What is measured on: formulas as text, the functions made of them, and the suites of functions."""
