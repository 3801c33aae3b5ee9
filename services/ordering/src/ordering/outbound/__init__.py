"""How ordering keeps its state and tells others."""
