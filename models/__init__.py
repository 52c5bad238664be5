"""Things to practise on: networks, attacks, training recipes and the bundled pair."""
