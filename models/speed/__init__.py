"""How fast the kernels and searches are, beside what others do: measured together in one process."""
