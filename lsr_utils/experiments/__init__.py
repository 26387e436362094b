"""The runs behind lectures and deep dives: a file a topic. Nothing imports them."""
