"""`comanda events`: what passes on the streams, and every event once, for whoever subscribes."""
