"""How ``activation_norms`` is computed: on a CPU, on a GPU, in plain torch; and what torch knows of it."""
