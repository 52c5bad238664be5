"""The zoo: many small classifiers, clean and trojaned, each with what is true of it."""
