"""The operator's page: a small local web page that says what to do, waits with a countdown and takes the answers."""
