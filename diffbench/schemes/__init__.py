"""What is measured: difference schemes as exact stencils or opaque calls, and rules that choose epsilon."""
