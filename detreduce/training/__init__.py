"""Training a detector inside an energy meter, and measuring it twice; knows a data.yaml, not a reducer."""
