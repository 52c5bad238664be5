"""What the HTML page is made of: each part of an answer as plain values, and the templates that show them."""
