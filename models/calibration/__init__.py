"""How much each signal is worth: learnt on two parts of the zoo, and on a user's own models if wanted."""
